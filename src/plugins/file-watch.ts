import type { FastifyBaseLogger } from 'fastify'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { BadValue, ConfigError } from '../settings/config-error.ts'

/** Files that a plugin reads now and again. */
export interface WatchedFiles {
  /** What is in them, for the log, such as `the API keys`. */
  readonly what: string
  /** The paths, each by the setting that names it. */
  readonly paths: Readonly<Record<string, string>>
  readonly everyMs: number
  /**
   * Takes the contents into use, all or nothing. They come in the order of `paths`.
   *
   * @returns what the log says of them
   * @throws BadValue when they cannot be used; the message names the setting and shows nothing of the contents
   */
  readonly take: (contents: readonly string[]) => Readonly<Record<string, unknown>>
}

/**
 * Reads files again and again, and takes their contents when these have changed. Contents are compared, and the files
 * are not watched by the system: Kubernetes replaces a link far above them.
 */
export class FileWatch {
  readonly #files: WatchedFiles
  readonly #log: FastifyBaseLogger
  #digest: string | undefined
  /** Why the contents with that digest cannot be used. */
  #unusable: { readonly error: unknown } | undefined
  /** What is wrong since the last reading. */
  #fault: string | undefined
  #last: Promise<void> = Promise.resolve()
  #queued: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor (files: WatchedFiles, log: FastifyBaseLogger) {
    this.#files = files
    this.#log = log
  }

  /** Whether the contents that were read last are in use. */
  get isGood (): boolean {
    return this.#fault === undefined
  }

  /** @throws ConfigError when the contents cannot be used */
  async readFirst (): Promise<void> {
    try {
      await this.#takeChanged()
    } catch (error) {
      throw new ConfigError(`Bad configuration: ${faultOf(error)}`)
    }
  }

  /** Reads once more, after the reading that is under way. Calls that come before it begins share it. Never rejects. */
  readAgain (): Promise<void> {
    this.#queued ??= this.#last.then(async () => {
      this.#queued = undefined
      await this.#readOnce()
    })
    this.#last = this.#queued
    return this.#queued
  }

  start (): void {
    if (this.#isClosed) return
    this.#timer = setTimeout(() => {
      void this.readAgain().then(() => { this.start() })
    }, this.#files.everyMs)
  }

  close (): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #readOnce (): Promise<void> {
    if (this.#isClosed) return
    const { what } = this.#files
    try {
      const taken = await this.#takeChanged()
      if (taken !== undefined) this.#log.info(taken, `${what} were read again and are in use`)
      this.#fault = undefined
    } catch (error) {
      const fault = faultOf(error)
      // The same fault is said once.
      if (fault !== this.#fault) {
        this.#log.error({ files: this.#files.paths }, `${what} cannot be used, those read before stay in use: ${fault}`)
      }
      this.#fault = fault
    }
  }

  async #takeChanged (): Promise<Readonly<Record<string, unknown>> | undefined> {
    const contents = await Promise.all(Object.entries(this.#files.paths).map(async ([setting, path]) => {
      return await contentOf(setting, path)
    }))
    const digest = createHash('sha256').update(JSON.stringify(contents)).digest('base64')
    if (digest === this.#digest) {
      if (this.#unusable !== undefined) throw this.#unusable.error
      return undefined
    }
    this.#digest = digest
    this.#unusable = undefined
    try {
      return this.#files.take(contents)
    } catch (error) {
      this.#unusable = { error }
      throw error
    }
  }
}

async function contentOf (setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : ''
    throw new BadValue(`${setting} names a file that cannot be read${code}`)
  }
}

// The message of another error may show what is in a file.
function faultOf (error: unknown): string {
  return error instanceof BadValue ? error.message : `unexpected ${error instanceof Error ? error.name : typeof error}`
}
