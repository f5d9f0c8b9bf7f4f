import { pause, StreamsError } from '../../streams/index.ts'
import type { LogFollower } from '../log/log-follower.ts'
import type { LogStream, Written } from '../log/log-stream.ts'
import type { DefinitionFold, Submitted } from './definition-fold.ts'

export interface SubmissionOptions {
  readonly stream: LogStream
  readonly fold: DefinitionFold
  readonly follower: LogFollower
  /** Of the command that the record holds. */
  readonly commandId: string
  readonly record: Buffer
  readonly timeoutMs: number
}

const RETRY_MS = 200
// These may be over in a moment. A command that is written twice counts once.
const WORTH_ANOTHER_TRY = new Set<string>([
  'broker_unavailable', 'stream_not_available', 'broker_timeout', 'confirm_timeout', 'stream_not_found'
])

/** Writes one command, as often as it takes, until it is read back or the time is over. */
export class Submission {
  readonly #options: SubmissionOptions
  readonly #signal: AbortSignal
  #submitted: Submitted | undefined
  #mayBeStored = false
  #wake: () => void = () => {}

  constructor (options: SubmissionOptions) {
    this.#options = options
    this.#signal = AbortSignal.timeout(options.timeoutMs)
  }

  /** @throws StreamsError with `sideEffects: possible` when the command may be in the log, or come there later */
  async run (): Promise<Submitted> {
    const { fold, commandId } = this.#options
    const end = fold.await(commandId, (submitted) => {
      this.#submitted = submitted
      this.#wake()
    })
    const late = (): void => { this.#wake() }
    this.#signal.addEventListener('abort', late, { once: true })
    try {
      return await this.#tries()
    } finally {
      this.#signal.removeEventListener('abort', late)
      end()
    }
  }

  async #tries (): Promise<Submitted> {
    let isStored = false
    for (;;) {
      const written: Written | undefined = isStored ? { isStored } : await this.#write()
      if (this.#submitted !== undefined) return this.#submitted
      if (written === undefined) throw notConfirmed()
      isStored = written.isStored
      this.#mayBeStored ||= written.isStored || written.mayBeStored
      if (!written.isStored && !this.#mayTryAgain(written.error)) throw this.#asKnown(written.error)
      const error = await this.#readBack()
      if (this.#submitted !== undefined) return this.#submitted
      if (this.#signal.aborted) throw this.#asKnown(written.isStored ? error ?? notConfirmed() : written.error)
      await pause(RETRY_MS, this.#signal)
    }
  }

  // Undefined when the command was read back before it was confirmed, or when it is neither in time.
  async #write (): Promise<Written | undefined> {
    const { stream, record } = this.#options
    return await new Promise((resolve) => {
      this.#wake = () => { resolve(undefined) }
      if (this.#signal.aborted) this.#wake()
      else void stream.write([record], this.#signal).then(resolve)
    })
  }

  async #readBack (): Promise<unknown> {
    return await this.#options.follower.caughtUp(this.#signal).then(() => undefined, (error: unknown) => error)
  }

  #mayTryAgain ({ code }: StreamsError): boolean {
    return WORTH_ANOTHER_TRY.has(code) && !this.#signal.aborted
  }

  #asKnown (error: unknown): unknown {
    return this.#mayBeStored && error instanceof StreamsError ? error.afterSideEffects() : error
  }
}

function notConfirmed (): StreamsError {
  return new StreamsError(
    'confirm_timeout',
    'the broker did not confirm the change in time; it may be made later',
    { sideEffects: 'possible' }
  )
}
