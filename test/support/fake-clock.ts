import type { Clock } from '../../src/access/tokens/clock.ts'

/** A clock that a test moves. */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #timers = new Set<{ readonly atMs: number, readonly action: () => void }>()

  constructor (nowMs = Date.now()) {
    this.#nowMs = nowMs
  }

  readonly now = (): number => this.#nowMs

  readonly after = (ms: number, action: () => void): () => void => {
    const timer = { atMs: this.#nowMs + ms, action }
    this.#timers.add(timer)
    return () => { this.#timers.delete(timer) }
  }

  get timers (): number {
    return this.#timers.size
  }

  /** Somebody sets the clock of the machine. */
  setBack (ms: number): void {
    this.#nowMs -= ms
  }

  /** Lets time pass, and does what was to be done until then. */
  pass (ms: number): void {
    const endMs = this.#nowMs + ms
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)
      if (next === undefined) break
      this.#timers.delete(next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.action()
    }
    this.#nowMs = endMs
  }
}
