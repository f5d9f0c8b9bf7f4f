import { Cap, type Holder } from '../common/cap.ts'
import { waitUntil } from '../common/wait.ts'
import { StreamsError } from '../errors.ts'

// When more connections are opened at once, the broker's listener no longer takes all of them: those that it drops are
// tried again by TCP a second later.
const MAX_UNDER_WAY = 64

/** Bounds the connections to the broker, of all pools of the process together. */
export class Dialing {
  /** Of the connections that are open or being opened. */
  readonly connections: Cap
  readonly #waiting: Array<() => void> = []
  #underWay = 0

  constructor (maxConnections: number) {
    this.connections = new Cap(maxConnections)
  }

  /**
   * Opens a connection when it is its turn. Give its place in `connections` back when it has ended.
   *
   * @param signal ends the wait; `open` sees to the rest
   * @throws StreamsError `overloaded` when there are too many and none of them is idle; what `open` throws
   */
  async open<T> (holder: Holder, open: () => Promise<T>, signal: AbortSignal): Promise<T> {
    const { connections } = this
    if (!connections.take(holder)) {
      throw new StreamsError('overloaded', 'the gateway has as many connections to the broker as it may have', {
        details: { limit: connections.limit }
      })
    }
    try {
      await this.#turn(signal)
      try {
        return await open()
      } finally {
        this.#passOn()
      }
    } catch (error) {
      connections.give()
      throw error
    }
  }

  async #turn (signal: AbortSignal): Promise<void> {
    if (this.#underWay < MAX_UNDER_WAY) {
      this.#underWay++
      return
    }
    const end = await waitUntil((done) => {
      this.#waiting.push(done)
      return () => { this.#waiting.splice(this.#waiting.indexOf(done), 1) }
    }, { signal })
    if (end !== 'done') signal.throwIfAborted()
  }

  // The turn goes to the request that has waited longest, and no other can take it in between.
  #passOn (): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#underWay--
    else next()
  }
}
