import type { Logger, Permits } from '../../streams/index.ts'
import type { Subscription } from '../definitions/command.ts'
import { delayAfter } from '../delivery/retry.ts'
import type { Seat } from '../ownership/seat.ts'
import { sourceOf, unitId, type Unit } from '../unit.ts'
import type { StartWorker, Worker, WorkerShared, WorkerTask } from '../worker/worker-options.ts'
import { Life } from './life.ts'
import { orderAfter, versionFor, type Order } from './order.ts'
import type { DefinitionSource, StatusSink } from './ports.ts'
import { UnitReports } from './unit-reports.ts'
import { isSameDelivery, nextStep, resetOf, stoppedBy, type UnitState } from './unit-step.ts'
import { listenerFor } from './worker-listener.ts'

/** What the runners of a process share. */
export interface RunnerOptions {
  readonly definitions: DefinitionSource
  readonly status: StatusSink
  readonly startWorker: StartWorker
  readonly shared: WorkerShared
  /** The name of this instance. */
  readonly instance: string
  /** How long a worker may take to stop. */
  readonly handoverMs: number
  /** Of workers that begin. */
  readonly starts: Permits
  readonly logger: Logger
}

/** Whether a unit is one of its subscription, and what keeps it from running. */
export interface Plan {
  readonly isWanted: boolean
  readonly obstacle: string | undefined
}

interface Running {
  readonly worker: Worker
  readonly subscription: Subscription
  /** The message that it was told to skip. */
  skip: number | undefined
}

const PAUSES = { initialDelayMs: 200, maxDelayMs: 10_000, factor: 2 }
const FRESH_LOOK_MS = 10
// A worker that has not said anything by then does not keep others from beginning.
const BEGIN_MS = 2000

/**
 * Runs one unit for as long as this process owns its slot. There is one loop, which does one thing after the other:
 * whatever changes meanwhile, and however often, there is never a second worker.
 */
export class UnitRunner {
  readonly unit: Unit
  readonly #options: RunnerOptions
  readonly #seat: Seat
  readonly #reports: UnitReports
  // What is under way is not waited for when the unit ends: it does nothing that the next owner must not find.
  readonly #life = new Life()
  readonly #done: Promise<void>
  readonly #whenResting: () => void
  #plan: Plan
  #running: Running | undefined
  #current: WorkerTask | undefined
  #order: Order | undefined
  #failures = 0

  /** @param whenResting called when the unit is no longer there and its worker has stopped */
  constructor (unit: Unit, seat: Seat, plan: Plan, options: RunnerOptions, whenResting: () => void) {
    this.unit = unit
    this.#seat = seat
    this.#plan = plan
    this.#options = options
    this.#whenResting = whenResting
    this.#reports = new UnitReports(unit, options)
    this.#done = this.#run()
  }

  /** Whether it may be forgotten: it is no longer there and nothing runs. */
  get isResting (): boolean {
    return nextStep(this.#state) === 'rest'
  }

  /** The definition of the subscription has changed, or the plan. */
  changed (plan: Plan = this.#plan): void {
    this.#plan = plan
    this.#life.changed()
  }

  /** Ends it. @param untilMs when a worker that settles has to have stopped, by performance.now() */
  async end (how: 'settle' | 'abandon', untilMs: number): Promise<void> {
    this.#life.end()
    const id = unitId(this.unit)
    if (this.#running === undefined) this.#options.status.forget(id)
    const stop = async (): Promise<void> => {
      await this.#running?.worker.stop(how, Math.max(0, untilMs - performance.now()))
    }
    if (how === 'abandon') await stop() // also when the loop waits for it to settle
    await this.#done
    if (this.#running === undefined) return
    await stop()
    this.#current = undefined
    this.#running = undefined
    this.#options.status.forget(id)
  }

  get #state (): UnitState {
    const { unit } = this
    return {
      unit,
      subscription: this.#options.definitions.get(unit.key),
      ...this.#plan,
      running: this.#running?.subscription,
      order: this.#order
    }
  }

  async #run (): Promise<void> {
    while (!this.#life.hasEnded) {
      this.#life.begin()
      try {
        const isDone = await this.#step()
        this.#failures = 0
        if (isDone) await this.#life.changes()
      } catch (err) {
        if (this.#life.hasEnded) return
        this.#options.logger.debug({ unit: this.unit, err }, 'a unit of push subscriptions cannot continue')
        if (this.#running === undefined) this.#reports.stopped(textOf(err))
        await this.#life.changes(delayAfter(++this.#failures, PAUSES))
      }
    }
  }

  // Whether there is nothing more to do until something changes.
  async #step (): Promise<boolean> {
    const state = this.#state
    const { subscription } = state
    switch (nextStep(state)) {
      case 'stop':
        await this.#stop()
        return false
      case 'submit':
        await this.#submit()
        return false
      case 'reset':
        if (subscription !== undefined) await this.#reset(subscription)
        return false
      case 'start':
        await this.#life.unlessEnded(this.#options.starts.run(async () => { await this.#start() }))
        return false
      case 'stand':
        if (subscription !== undefined) await this.#stand(subscription, stoppedBy(state) ?? '')
        return true
      case 'run':
        this.#skip(subscription)
        return true
      case 'rest':
        this.#whenResting()
        return true
    }
  }

  async #start (): Promise<void> {
    const { status, startWorker, shared } = this.#options
    await this.#whenFresh()
    const state = this.#state
    const { subscription } = state
    if (subscription === undefined || nextStep(state) !== 'start' || this.#life.hasEnded) return
    const begin = this.#reports.begin(subscription, status.of(unitId(this.unit)))
    const begun = new AbortController() // aborted with a reason: an error would be kept, with its stack
    const task = { unit: this.unit, subscription, seat: this.#seat, ...begin }
    const listener = listenerFor(this.unit, () => this.#current === task, {
      report: (report) => {
        begun.abort('begun')
        this.#reports.worker(report)
      },
      ask: (order) => {
        begun.abort('begun')
        this.#ask(task, order)
      }
    })
    this.#current = task
    const worker = startWorker(task, listener, shared)
    this.#running = { worker, subscription, skip: undefined }
    await this.#life.pause(BEGIN_MS, begun.signal)
  }

  // The worker does nothing more. What it asks for counts for the definition that it knows.
  #ask (task: WorkerTask, order: Omit<Order, 'subscription'>): void {
    const now = this.#options.definitions.get(this.unit.key)
    if (now === undefined || !isSameDelivery(task.subscription, now)) return
    this.#order ??= { ...order, subscription: now }
    this.changed()
  }

  async #stop (): Promise<void> {
    await this.#running?.worker.stop('settle', this.#options.handoverMs)
    this.#current = undefined
    this.#running = undefined
  }

  async #submit (): Promise<void> {
    const [order, { definitions }] = [this.#order, this.#options]
    if (order === undefined) return
    await this.#life.unlessEnded(definitions.submit(this.unit.key, order.change, versionFor(order)))
    this.#order = orderAfter(order, definitions.get(this.unit.key))
  }

  async #reset (subscription: Subscription): Promise<void> {
    const { shared, definitions } = this.#options
    const { key, partition } = this.unit
    const { generation, definition: { consumer } } = subscription
    const nextOffset = resetOf(this.unit, subscription)
    if (nextOffset === undefined) return
    this.#reports.begin(subscription, this.#options.status.of(unitId(this.unit)))
    await this.#whenFresh()
    const stream = shared.broker.streams.nameOnBroker(sourceOf(this.unit))
    await this.#life.unlessEnded(this.#seat.store(stream, consumer, Math.max(0, nextOffset - 1)))
    this.#reports.moved(nextOffset)
    await this.#life.unlessEnded(definitions.submit(key, { type: 'resetDone', partition, generation }, undefined))
  }

  async #stand (subscription: Subscription, reason: string): Promise<void> {
    const { status, shared } = this.#options
    this.#reports.begin(subscription, status.of(unitId(this.unit)))
    if (!this.#reports.hasPlace && this.unit.redrive === '' && this.#plan.obstacle === undefined) {
      const stream = shared.broker.streams.nameOnBroker(sourceOf(this.unit))
      const stored = await this.#seat.stored(stream, subscription.definition.consumer).catch(() => undefined)
      if (stored !== undefined) this.#reports.moved(stored === 0 ? 0 : stored + 1)
    }
    this.#reports.stopped(reason)
  }

  #skip (subscription: Subscription | undefined): void {
    const running = this.#running
    const skip = this.unit.redrive === '' ? subscription?.skips[this.unit.partition] : undefined
    if (running === undefined || skip === undefined || skip === running.skip) return
    running.skip = skip
    running.worker.skip(skip)
  }

  async #whenFresh (): Promise<void> {
    while (!this.#seat.isFresh()) {
      this.#seat.lost.throwIfAborted()
      await this.#life.unlessEnded(this.#life.pause(FRESH_LOOK_MS))
    }
  }
}

function textOf (error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
