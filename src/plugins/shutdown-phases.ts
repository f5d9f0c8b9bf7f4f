import type { FastifyBaseLogger } from 'fastify'

/** The phases of a shutdown, in their order. */
export type PhaseName = 'not ready' | 'no new work' | 'workers' | 'live answers' | 'requests' | 'broker'

/** The work of a plugin in a phase. */
export type ShutdownStep = () => void | Promise<void>

/** A phase of the shutdown. */
export interface Phase {
  readonly name: PhaseName
  /** How long it may take, in ms, asked when it begins. */
  readonly timeoutMs: () => number
  /** Called when the phase takes longer. The next phase then begins without waiting for it. */
  readonly whenLate: () => void
}

/** Runs what plugins do in the phases of the shutdown. */
export class ShutdownPhases {
  readonly #phases: ReadonlyMap<PhaseName, Phase>
  readonly #steps = new Map<PhaseName, ShutdownStep[]>()
  readonly #log: FastifyBaseLogger

  constructor (phases: readonly Phase[], log: FastifyBaseLogger) {
    this.#phases = new Map(phases.map((phase) => [phase.name, phase]))
    this.#log = log
  }

  /** Adds a step to a phase. The steps of one phase run side by side. */
  add (name: PhaseName, step: ShutdownStep): void {
    this.#steps.set(name, [...this.#steps.get(name) ?? [], step])
  }

  /** Settles when all steps have ended or the time is over. Never rejects: the shutdown continues to its end. */
  async run (name: PhaseName): Promise<void> {
    const phase = this.#phases.get(name)
    const steps = (this.#steps.get(name) ?? []).map(async (step) => { await this.#take(name, step) })
    if (phase === undefined || steps.length === 0) return
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(() => {
        phase.whenLate()
        resolve()
      }, phase.timeoutMs())
    })
    await Promise.race([Promise.all(steps), late])
    clearTimeout(timer)
  }

  async #take (phase: PhaseName, step: ShutdownStep): Promise<void> {
    try {
      await step()
    } catch (error) {
      this.#log.error({ err: error, phase }, 'a step of the shutdown failed')
    }
  }
}
