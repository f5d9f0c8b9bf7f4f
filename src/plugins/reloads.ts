import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { Gauge } from 'prom-client'

declare module 'fastify' {
  interface FastifyInstance {
    /** Has files read again when one of them changes, from when the app is ready until it closes. */
    reloadFile: (file: ReloadedFileOptions) => void
    /** Reads all of these files again now. Settles when that is done, whatever is in them. */
    reloadFiles: () => Promise<void>
    /** Whether there is any such file. */
    hasReloadedFiles: () => boolean
  }
}

/** A file, or some that are taken together, and what is done with it. */
export interface ReloadedFileOptions {
  /** The setting that names it, or the first of them. */
  readonly setting: string
  /** With what was in them at the start, which is in use already. */
  readonly files: ReadonlyArray<{ readonly path: string, readonly content: string }>
  readonly everySeconds: number
  /**
   * Takes what is in them now, in the order of the files, and returns facts for the log. When that is not valid it
   * changes nothing, and throws an error whose message says why and shows no secret.
   */
  readonly load: (contents: readonly string[]) => Record<string, unknown>
}

/**
 * Files that are read again while the process runs. They are asked for at intervals: Kubernetes changes a mounted file
 * by a symbolic link above it, of which no watcher of the file is told. What cannot be read, or is not valid, changes
 * nothing, so that a mistake in a file locks no caller out.
 */
function reloads (app: FastifyInstance): void {
  const files: ReloadedFile[] = []
  const ok = new Gauge({
    name: 'rabbitmq_stream_gateway_reload_ok',
    help: 'Whether what is in a file that is read again is in use: 0 when it is not valid or cannot be read',
    labelNames: ['setting'],
    registers: [app.metrics]
  })
  app.decorate('reloadFile', (options: ReloadedFileOptions) => {
    files.push(new ReloadedFile(options, app.log, (isOk) => { ok.set({ setting: options.setting }, isOk ? 1 : 0) }))
  })
  app.decorate('reloadFiles', async () => {
    await Promise.all(files.map(async (file) => { await file.reload() }))
  })
  app.decorate('hasReloadedFiles', () => files.length > 0)
  app.addHook('onReady', (done) => {
    for (const file of files) file.watch()
    done()
  })
  app.addHook('onClose', (_app, done) => {
    for (const file of files) file.close()
    done()
  })
}

class ReloadedFile {
  readonly #options: ReloadedFileOptions
  readonly #log: FastifyInstance['log']
  readonly #report: (isOk: boolean) => void
  #timer: NodeJS.Timeout | undefined
  // One at a time: an older content must not replace a newer one.
  #turn: Promise<void> = Promise.resolve()
  #stamp: string | undefined
  // What was looked at last, in use or not. Not the content itself: it is large, and holds what few should see.
  #digest: string | undefined
  #unreadable: string | undefined

  constructor (options: ReloadedFileOptions, log: FastifyInstance['log'], report: (isOk: boolean) => void) {
    this.#options = options
    this.#log = log
    this.#report = report
    this.#digest = digestOf(options.files.map(({ content }) => content))
    report(true)
  }

  watch (): void {
    this.#timer = setInterval(() => { void this.#inTurn(false) }, this.#options.everySeconds * 1000)
  }

  close (): void {
    clearInterval(this.#timer)
  }

  async reload (): Promise<void> {
    await this.#inTurn(true)
  }

  async #inTurn (isAsked: boolean): Promise<void> {
    this.#turn = this.#turn.then(async () => { await this.#look(isAsked) })
    await this.#turn
  }

  async #look (isAsked: boolean): Promise<void> {
    const contents = await this.#contentsIfNew(isAsked)
    if (contents === undefined) return
    const { setting, load } = this.#options
    try {
      const facts = load(contents)
      this.#report(true)
      this.#log.info({ setting, ...facts }, 'a file was read again, and what is in it is in use')
    } catch (error) {
      this.#refuse(error instanceof Error ? error.message : 'is not valid')
    }
  }

  async #contentsIfNew (isAsked: boolean): Promise<string[] | undefined> {
    const { files } = this.#options
    try {
      // Before it is read: what changes in between is seen the next time.
      const stamp = (await Promise.all(files.map(async ({ path }) => await stampOf(path)))).join()
      if (stamp === this.#stamp && !isAsked) return undefined
      const contents = await Promise.all(files.map(async ({ path }) => await readFile(path, 'utf8')))
      const digest = digestOf(contents)
      const isNew = digest !== this.#digest || isAsked
      this.#stamp = stamp
      this.#digest = digest
      this.#unreadable = undefined
      return isNew ? contents : undefined
    } catch (error) {
      // What comes next is new, even when it is what was there before.
      this.#stamp = undefined
      this.#digest = undefined
      const reason = `cannot be read${error instanceof Error && 'code' in error ? `: ${String(error.code)}` : ''}`
      if (reason !== this.#unreadable || isAsked) this.#refuse(reason)
      this.#unreadable = reason
      return undefined
    }
  }

  #refuse (reason: string): void {
    const { setting, files } = this.#options
    this.#report(false)
    const paths = files.map(({ path }) => path)
    this.#log.error(
      { setting, paths, reason }, 'a file was read again and is not valid: what was in it before stays in use'
    )
  }
}

/** Differs after each change of the file, and after each change of a link on the way to it. */
async function stampOf (path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ')
}

function digestOf (contents: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(contents)).digest('hex')
}

export default fp(async (app) => reloads(app), { name: 'reloads', dependencies: ['metrics'] })
