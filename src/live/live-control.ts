import type { FeedState } from './live-feed.ts'
import { RETRY_MS, type ControlName } from './live-format.ts'
import type { LiveAnswerOptions } from './live-options.ts'
import type { LiveOutput } from './live-output.ts'

// With a filter: after how many messages that do not match the client is told, unless it heard something just now.
const SKIPPED_MESSAGES = 1000
const JUST_NOW_MS = 100

/** What a live answer says beside its messages. */
export class LiveControl {
  readonly #options: LiveAnswerOptions
  readonly #output: LiveOutput
  #isAsking = false
  // There was news while the state was asked for.
  #hasNews = false
  #isOver = false
  /** Whether the client is to be told when the end of the stream is reached. */
  isBehind = false

  /** Says where the answer begins. */
  constructor (options: LiveAnswerOptions, output: LiveOutput, opening: FeedState) {
    this.#options = options
    this.#output = output
    this.#state(opening, RETRY_MS)
  }

  say (name: ControlName, data: object, retryMs?: number): void {
    const { feed, format } = this.#options
    feed.told()
    this.#output.text(format.control(name, feed.id, data, retryMs))
  }

  /** Says where the answer is when the messages do not: at the end, and when a filter has skipped many. */
  report (): void {
    const isAtEnd = this.isBehind && this.#options.feed.isAtEnd
    if (isAtEnd || (this.#hasSkippedMany && performance.now() - this.#output.lastWriteMs >= JUST_NOW_MS)) {
      void this.#ask(false)
    }
  }

  /** Shows that the connection is alive, unless something is written meanwhile. */
  heartbeat (): void {
    void this.#ask(true)
  }

  /** Nothing is said from now on. */
  end (): void {
    this.#isOver = true
  }

  get #hasSkippedMany (): boolean {
    return this.#options.isFiltered && this.#options.feed.skipped >= SKIPPED_MESSAGES
  }

  async #ask (isHeartbeat: boolean): Promise<void> {
    if (this.#isAsking) {
      this.#hasNews = true
      return
    }
    this.#isAsking = true
    const { lastWriteMs } = this.#output
    const state = await this.#options.feed.state()
    if (isHeartbeat) await this.#options.pace.turn()
    this.#isAsking = false
    if (this.#isOver || this.#output.stalledMs !== undefined) return
    const isDue = isHeartbeat && this.#output.lastWriteMs === lastWriteMs
    const isWanted = isDue || (this.isBehind && state.endOfStream) || this.#hasSkippedMany
    if (isWanted && state.isCurrent()) this.#state(state)
    if (!this.#hasNews) return
    this.#hasNews = false
    this.report()
  }

  #state (state: FeedState, retryMs?: number): void {
    const { hasControl, feed, format } = this.#options
    this.isBehind = !state.endOfStream
    feed.told()
    this.#output.text(hasControl
      ? format.control('state', feed.id, state.data, retryMs)
      : format.quiet(feed.id, retryMs))
  }
}
