import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Stop } from '../setup/say.mjs'
import { interruption } from '../setup/signals.mjs'

/** The time of a load. Its parts are told from its beginning, 0, to its end, 1. */
export class Clock {
  readonly #startMs = performance.now()
  readonly #lengthMs: number

  constructor (seconds: number) {
    this.#lengthMs = seconds * 1000
    // Everything that waits listens, and there is no leak: the number of loops is fixed.
    setMaxListeners(100, interruption)
  }

  /** What part of the load is over. */
  get part (): number {
    return (performance.now() - this.#startMs) / this.#lengthMs
  }

  /** Does something again and again, with a pause before each time, in a part of the load. */
  async every (ms: number, work: (turn: number) => Promise<unknown>, from = 0, to = 1): Promise<void> {
    await this.until(from)
    for (let turn = 0; this.part < to; turn++) {
      await this.#pause(ms)
      await work(turn)
    }
  }

  /** Waits until a part of the load is over. */
  async until (part: number): Promise<void> {
    await this.#pause(Math.max(0, (part - this.part) * this.#lengthMs))
  }

  async #pause (ms: number): Promise<void> {
    if (interruption.aborted) throw new Stop('Interrupted.')
    await delay(ms, undefined, { signal: interruption }).catch(() => { throw new Stop('Interrupted.') })
  }
}
