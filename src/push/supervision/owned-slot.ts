import type { Seat } from '../ownership/seat.ts'
import type { Unit } from '../unit.ts'
import type { PlannedUnit } from './unit-catalog.ts'
import { UnitRunner, type RunnerOptions } from './unit-runner.ts'

/** A slot that this process owns, with the units that run there. */
export class OwnedSlot {
  readonly seat: Seat
  /** Whether everything is known that the owner before has written. */
  isReady = false
  readonly #options: RunnerOptions
  readonly #runners = new Map<string, UnitRunner>()
  readonly #ending = new AbortController()
  #ended: Promise<void> | undefined

  constructor (seat: Seat, options: RunnerOptions) {
    this.seat = seat
    this.#options = options
  }

  /** Aborts when the slot is no longer owned. */
  get ending (): AbortSignal {
    return this.#ending.signal
  }

  get units (): Unit[] {
    return [...this.#runners.values()].map(({ unit }) => unit)
  }

  get unitCount (): number {
    return this.#runners.size
  }

  /** The unit is one of the slot, or has changed. */
  take ({ id, unit, obstacle }: PlannedUnit): void {
    if (this.#ending.signal.aborted) return
    const plan = { isWanted: true, obstacle }
    const known = this.#runners.get(id)
    if (known !== undefined) {
      known.changed(plan)
      return
    }
    this.#options.shared.figures.takeovers++
    const runner: UnitRunner = new UnitRunner(unit, this.seat, plan, this.#options, () => { this.#forget(id) })
    this.#runners.set(id, runner)
  }

  /** The unit is no longer there. Its runner stays until its worker has stopped. */
  leave (id: string): void {
    this.#runners.get(id)?.changed({ isWanted: false, obstacle: undefined })
  }

  /** Ends all units. @param how see `Worker.stop`; a seat that is lost meanwhile makes it `abandon` */
  async end (how: 'settle' | 'abandon', timeoutMs: number): Promise<void> {
    this.#ending.abort()
    this.#ended ??= this.#end(how, timeoutMs)
    await this.#ended
  }

  // All at once: a unit that waits for others would be without an owner for longer. Stores wait for each other in the
  // seat.
  async #end (how: 'settle' | 'abandon', timeoutMs: number): Promise<void> {
    const untilMs = performance.now() + timeoutMs
    const runners = [...this.#runners.values()]
    const abandon = (): void => { for (const runner of runners) void runner.end('abandon', untilMs) }
    if (how === 'settle') this.seat.lost.addEventListener('abort', abandon, { once: true })
    await Promise.all(runners.map(async (runner) => { await runner.end(how, untilMs) }))
    this.seat.lost.removeEventListener('abort', abandon)
    this.#runners.clear()
  }

  #forget (id: string): void {
    const runner = this.#runners.get(id)
    if (runner === undefined || this.#ending.signal.aborted) return
    // It may be there again since.
    queueMicrotask(() => {
      if (!runner.isResting || this.#runners.get(id) !== runner || this.#ending.signal.aborted) return
      this.#runners.delete(id)
      void runner.end('settle', 0)
    })
  }
}
