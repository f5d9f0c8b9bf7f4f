import type { RetryState } from '../delivery/delivery.ts'
import type { Attempt } from '../endpoint/attempt.ts'
import type { LastFailure, Report, WorkerState } from '../status/status-record.ts'

/** What only the worker knows at the moment. */
export type Place = Pick<Report, 'nextOffset' | 'retry' | 'consecutiveFailures' | 'missed' | 'counts'>

/**
 * Puts together what a worker says of itself. That it is idle or delivers is told with the next tick, because it
 * changes with each message.
 */
export class Reporter {
  readonly #report: (report: Report) => void
  readonly #place: () => Place
  #state: WorkerState = 'idle'
  #reason: string | null = null
  #lastSuccessAt: number | null = null
  #lastFailure: LastFailure | null = null
  #isDue = true

  constructor (report: (report: Report) => void, place: () => Place) {
    this.#report = report
    this.#place = place
  }

  get state (): WorkerState {
    return this.#state
  }

  /** @param reason of `blocked` and `stopped` */
  show (state: WorkerState, reason: string | null = null): void {
    if (this.#state === state && this.#reason === reason) return
    this.#state = state
    this.#reason = reason
    this.#isDue = true
    if (state !== 'idle' && state !== 'delivering') this.tick()
  }

  /** A try of the message has failed, and another one follows. */
  failing ({ failure }: RetryState): void {
    this.#state = failure === 'endpoint' ? 'failing' : 'retrying'
    this.#reason = null
    this.#isDue = true
    this.tick()
  }

  /** What came of a request whose first message has this offset. */
  answered (offset: number, { failure, status, error = '' }: Attempt): void {
    const at = Date.now()
    if (failure === undefined) {
      this.#lastSuccessAt = at
      this.show('delivering')
    } else this.#lastFailure = { at, offset, class: failure, status: status ?? null, error }
    this.#isDue = true
  }

  /** Reports what has changed. */
  tick (): void {
    if (!this.#isDue) return
    this.#isDue = false
    this.#report({
      state: this.#state,
      reason: this.#reason,
      lastSuccessAt: this.#lastSuccessAt,
      lastFailure: this.#lastFailure,
      ...this.#place()
    })
  }
}
