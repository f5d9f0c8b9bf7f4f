import { Permits } from '../common/permits.ts'
import { ResponseError, type Connection } from '../protocol/index.ts'

// RabbitMQ gives a connection up two to three intervals after the last byte from it (rabbit_heartbeat). But something
// between the two may close it towards the broker alone, which takes effect at once. So the time is shorter than it
// could be, for the price of a question that is asked more often.
const SAFE_INTERVALS = 0.5
// For a connection without heartbeats, which the broker gives up only when it is closed.
const NO_HEARTBEAT_MS = 1000
// A late answer is asked for again before the last one is too old.
const ASKED_EACH = 4
// A thousand stores at once would be a thousand answers that are waited for, each with the deadline of the first.
const MAX_UNDER_WAY = 32

/**
 * Knows whether the broker still counts on a connection. What comes from the broker says nothing of that: it may have
 * been on its way, or in a buffer of the operating system, for as long as this process was frozen or the network in the
 * other direction was cut. An answer does: the broker has heard of this process after the question was sent, and from
 * then on it waits for two heartbeats at least before it gives a silent connection up. So the age of the question
 * counts, and a process that wakes up has nothing but old questions until it has asked again.
 *
 * The clock counts too, beside the monotonic time, which stands still while the machine sleeps.
 */
export class Pulse {
  static readonly #known = new WeakMap<Connection, Pulse>()
  readonly #connection: Connection
  readonly #safeMs: number
  readonly #permits = new Permits(MAX_UNDER_WAY)
  #askedMs = -Infinity
  #askedAt = 0
  #isAsking = false
  #holders = 0
  #timer: NodeJS.Timeout | undefined

  private constructor (connection: Connection) {
    this.#connection = connection
    const { heartbeatSeconds } = connection
    this.#safeMs = heartbeatSeconds === 0 ? NO_HEARTBEAT_MS : heartbeatSeconds * 1000 * SAFE_INTERVALS
  }

  /** That of the connection. All who ask for it have the same. */
  static of (connection: Connection): Pulse {
    const pulse = Pulse.#known.get(connection) ?? new Pulse(connection)
    Pulse.#known.set(connection, pulse)
    return pulse
  }

  /** Asks the broker again and again, until the signal aborts. */
  keep (signal: AbortSignal): void {
    if (signal.aborted) return
    this.#holders++
    this.#timer ??= setInterval(() => { this.#ask() }, this.#safeMs / ASKED_EACH)
    this.#ask()
    signal.addEventListener('abort', () => {
      if (--this.#holders > 0) return
      clearInterval(this.#timer)
      this.#timer = undefined
    }, { once: true })
  }

  /** Whether the broker has not given the connection up, for certain. If not, it is asked at once. */
  isFresh (): boolean {
    if (!this.#connection.isOpen) return false
    const ageMs = Math.max(performance.now() - this.#askedMs, Date.now() - this.#askedAt)
    if (ageMs < this.#safeMs) return true
    this.#ask()
    return false
  }

  /** Does a request on the connection, whose answer counts. @throws what the request throws */
  async request<T> (request: (connection: Connection) => Promise<T>): Promise<T> {
    return await this.#permits.run(async () => {
      const askedMs = performance.now()
      const askedAt = Date.now()
      try {
        const answer = await request(this.#connection)
        this.#answered(askedMs, askedAt)
        return answer
      } catch (error) {
        if (error instanceof ResponseError) this.#answered(askedMs, askedAt)
        throw error
      }
    })
  }

  #ask (): void {
    if (this.#isAsking || !this.#connection.isOpen) return
    this.#isAsking = true
    // Not one of the permits: stores that hang must not keep it from being asked.
    const askedMs = performance.now()
    const askedAt = Date.now()
    this.#connection.echo().then(() => { this.#answered(askedMs, askedAt) }, () => {}) // the connection tells its end
      .finally(() => { this.#isAsking = false })
  }

  #answered (askedMs: number, askedAt: number): void {
    if (askedMs < this.#askedMs) return
    this.#askedMs = askedMs
    this.#askedAt = askedAt
  }
}
