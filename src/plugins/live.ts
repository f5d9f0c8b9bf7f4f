import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config.ts'
import type { LiveAnswer } from '../live/live-answer.ts'
import type { LiveFormat } from '../live/live-format.ts'
import type { LiveAnswerOptions } from '../live/live-options.ts'
import { Pace } from '../live/pace.ts'
import { Segments } from '../live/segments.ts'
import { shuttingDown, StreamsError } from '../streams/index.ts'
import { liveFigures } from './live-figures.ts'
import { idsOf, namesOf } from './requests.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The live answers of the process. */
    live: Live
  }
}

const TICK_MS = 1000
// So many steps of a shutdown end some of the live answers each.
const DRAIN_STEP_MS = 100
// How long the last words may take to leave.
const LAST_WORDS_MS = 5000

interface Entry { readonly format: LiveFormat['name'], readonly request: FastifyRequest, readonly beganMs: number }

/** The live answers of the process: how many there may be, their one clock, their figures and their end. */
export class Live {
  /** What all answers share. */
  readonly shared: Pick<LiveAnswerOptions, 'pace' | 'figures'> & { readonly segments: Segments }
  readonly #settings: Config['live']
  readonly #isDraining: () => boolean
  readonly #answers = new Map<LiveAnswer, Entry>()
  readonly #log: FastifyBaseLogger
  readonly #clock: NodeJS.Timeout
  #admitted = 0

  constructor (app: FastifyInstance, settings: Config['live']) {
    this.shared = {
      segments: new Segments(() => app.turn(Infinity)),
      pace: new Pace(),
      figures: liveFigures(app.metrics, {
        count: (format) => this.#count(format),
        behindMs: () => this.#behindMs()
      })
    }
    this.#settings = settings
    this.#log = app.log
    this.#isDraining = () => app.isDraining()
    this.#clock = setInterval(() => { this.#tick() }, TICK_MS)
  }

  /**
   * Takes the place of a live answer.
   *
   * @returns how to give it back
   * @throws StreamsError `overloaded`, `draining`
   */
  admit (): () => void {
    if (this.#isDraining()) throw shuttingDown()
    const limit = this.#settings.maxConnections
    if (this.#admitted >= limit) {
      throw new StreamsError('overloaded', 'too many live answers; try again in a moment', { details: { limit } })
    }
    this.#admitted++
    let isHeld = true
    return () => {
      if (isHeld) this.#admitted--
      isHeld = false
    }
  }

  /** How long a client may take nothing before it is cut off. */
  get sendTimeoutMs (): number {
    return this.#settings.sendTimeoutMs
  }

  /** When an answer that begins now is to be ended, so that clients spread over instances. */
  rotateAtMs (): number {
    const { maxDurationMs } = this.#settings
    return maxDurationMs === 0 ? Infinity : performance.now() + maxDurationMs * (0.9 + Math.random() * 0.2)
  }

  /** An answer has begun. */
  began (answer: LiveAnswer, request: FastifyRequest, format: LiveFormat['name']): void {
    this.#log.info({ ...idsOf(request), ...namesOf(request), format }, 'live answer begins')
    this.#answers.set(answer, { format, request, beganMs: performance.now() })
  }

  /** It has ended. */
  ended (answer: LiveAnswer, reason: string): void {
    const entry = this.#answers.get(answer)
    if (entry === undefined) return
    this.#answers.delete(answer)
    const { request, beganMs } = entry
    const { messages, bytes } = answer.delivered
    const ms = Math.round(performance.now() - beganMs)
    this.#log.info({ ...idsOf(request), ...namesOf(request), reason, messages, bytes, ms }, 'live answer ended')
  }

  /** Ends all answers, spread over a time. */
  async drain (spreadMs: number): Promise<void> {
    const startMs = performance.now()
    const answers = [...this.#answers.keys()]
    for (let ended = 0; ended < answers.length;) {
      const part = spreadMs === 0 ? 1 : (performance.now() - startMs + DRAIN_STEP_MS) / spreadMs
      const until = Math.ceil(Math.min(1, part) * answers.length)
      for (; ended < until; ended++) answers[ended]?.bye('draining')
      if (ended < answers.length) await delay(DRAIN_STEP_MS)
    }
  }

  /** Settles when every answer has left, or has had its time for that. */
  async emptied (): Promise<void> {
    const endMs = performance.now() + LAST_WORDS_MS
    while (this.#admitted > 0 && performance.now() < endMs) await delay(20)
  }

  close (): void {
    clearInterval(this.#clock)
    for (const answer of [...this.#answers.keys()]) answer.cut('the process ends')
    this.shared.segments.clear()
  }

  #tick (): void {
    this.shared.segments.sweep()
    const nowMs = performance.now()
    for (const answer of [...this.#answers.keys()]) answer.tick(nowMs, this.sendTimeoutMs)
  }

  #behindMs (): number {
    const nowMs = performance.now()
    let behindMs = 0
    for (const answer of this.#answers.keys()) behindMs = Math.max(behindMs, answer.behindMs(nowMs))
    return behindMs
  }

  #count (wanted: LiveFormat['name']): number {
    let count = 0
    for (const { format } of this.#answers.values()) if (format === wanted) count++
    return count
  }
}

function live (app: FastifyInstance, { live: settings, drainDelayMs }: Config): void {
  const all = new Live(app, settings)
  app.decorate('live', all)
  // Clients come back to other instances one after the other, and not all at once.
  app.onShutdown('not ready', async () => { await all.drain(drainDelayMs) })
  app.onShutdown('live answers', async () => {
    await all.drain(0)
    await all.emptied()
    all.close()
  })
}

export default fp<Config>(async (app, config) => live(app, config), {
  name: 'live',
  dependencies: ['lifecycle', 'metrics', 'bodies']
})
