import { setTimeout as delay } from 'node:timers/promises'

/** The phases of shutting down, in order. What a later one closes, an earlier one may still need. */
export const PHASES = [
  'not ready', // the process says so, and still accepts requests: load balancers need a moment to notice
  'no new work', // publishes are refused, and waiting reads answer with what there is
  'workers', // work without a request settles what is under way
  'live answers', // answers without an end of their own say goodbye
  'requests', // requests in flight are answered; at the deadline the rest is cut off
  'broker' // everything else is closed, the connections to the broker last
] as const

export type PhaseName = (typeof PHASES)[number]

/** Work of a phase. `signal` aborts at the deadline of the phase. */
export type PhaseWork = (signal: AbortSignal) => void | Promise<void>

// How long work may take after its deadline before the next phase begins without it.
const GRACE_MS = 1000

/** Runs the work of each phase, one phase after the other. */
export class Phases {
  readonly #work = new Map<PhaseName, PhaseWork[]>()
  readonly #deadlineMs: (phase: PhaseName) => number
  readonly #onOverrun: (phase: PhaseName) => void

  /**
   * @param deadlineMs when the phase has to end, ms from the beginning of the first one
   * @param onOverrun called for a phase that has not even ended a second after its deadline
   */
  constructor (deadlineMs: (phase: PhaseName) => number, onOverrun: (phase: PhaseName) => void) {
    this.#deadlineMs = deadlineMs
    this.#onOverrun = onOverrun
  }

  add (phase: PhaseName, work: PhaseWork): void {
    this.#work.set(phase, [...this.#work.get(phase) ?? [], work])
  }

  /** @throws the first error of any work, when all phases have run */
  async run (): Promise<void> {
    const startedMs = performance.now()
    const failures: unknown[] = []
    for (const phase of PHASES) {
      const leftMs = Math.max(0, startedMs + this.#deadlineMs(phase) - performance.now())
      await this.#runPhase(phase, leftMs, failures)
    }
    if (failures.length > 0) throw failures[0]
  }

  async #runPhase (phase: PhaseName, leftMs: number, failures: unknown[]): Promise<void> {
    const works = this.#work.get(phase) ?? []
    if (works.length === 0) return
    const late = new AbortController()
    const over = new AbortController()
    const timer = setTimeout(() => { late.abort() }, leftMs)
    const all = Promise.all(works.map(async (work) => {
      try {
        await work(late.signal)
      } catch (error) {
        failures.push(error)
      }
    }))
    const overrun = delay(leftMs + GRACE_MS, undefined, { signal: over.signal }).then(() => { this.#onOverrun(phase) })
    await Promise.race([all, overrun])
    clearTimeout(timer)
    over.abort()
    await overrun.catch(() => {}) // aborted, as a rule
  }
}
