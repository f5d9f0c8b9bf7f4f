import { setMaxListeners } from 'node:events'
import { Backoff, pause, StreamsError, within } from '../../streams/index.ts'
import { isExhausted } from '../delivery/delivery.ts'
import { OrderedDelivery } from '../delivery/ordered-delivery.ts'
import { redriveCourse } from '../redrive/redrive-course.ts'
import { subscriptionCourse, type Course } from './course.ts'
import { batchOf, makeDelivery, type UnitDelivery } from './make-delivery.ts'
import { openSource } from './open-source.ts'
import { Progress, untilFresh } from './progress.ts'
import { Reporter } from './reporter.ts'
import { UnsendableError } from './requests.ts'
import { policyOf } from './retry-policy.ts'
import { runOrdered, runWindowed, type DeliveryEnd, type Run } from './run-delivery.ts'
import { Source } from './source.ts'
import type { Counts } from '../status/status-record.ts'
import type { Ticking } from './ticks.ts'
import type { StartWorker, Worker, WorkerListener, WorkerShared, WorkerTask } from './worker-options.ts'

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 15_000
const LOOK_MS = 5000
// For the last store, when the requests in flight have taken all the time there was.
const MIN_STORE_MS = 1000

/** Begins to deliver a unit. */
export const startWorker: StartWorker = (task, listener, shared) => {
  const course = task.unit.redrive === '' ? subscriptionCourse(task) : redriveCourse(task)
  if (course === undefined) throw new RangeError('the subscription has no such redrive')
  return new UnitWorker(course, task, listener, shared)
}

class UnitWorker implements Worker, Ticking {
  readonly #course: Course
  readonly #task: WorkerTask
  readonly #listener: WorkerListener
  readonly #shared: WorkerShared
  readonly #amount: Run['amount']
  readonly #progress: Progress
  readonly #reporter: Reporter
  // Nothing more is sent.
  readonly #stopping = new AbortController()
  // What is in flight is given up.
  readonly #cutting = new AbortController()
  readonly #seatLost = (): void => { void this.stop('abandon', 0) }
  readonly #work: Promise<void>
  #delivery: UnitDelivery | undefined
  #source: Source | undefined
  #skipOffset: number | undefined
  #wake: (() => void) | undefined
  #missed = 0
  #counts: Counts | undefined
  #lookedAtMs = performance.now()
  #isAbandoned = false
  #end: Promise<void> | undefined

  constructor (course: Course, task: WorkerTask, listener: WorkerListener, shared: WorkerShared) {
    const { subscription: { definition, skips }, seat, unit, retry, reached = 0 } = task
    this.#course = course
    this.#task = task
    this.#listener = listener
    this.#shared = shared
    this.#amount = batchOf(course, definition)
    if (unit.redrive !== '') this.#counts = { delivered: 0, failed: 0 }
    this.#skipOffset = unit.redrive === '' ? skips[unit.partition] : undefined
    this.#progress = new Progress({
      seat,
      broker: shared.broker,
      ...course,
      ...definition.commit,
      moved: (nextOffset) => {
        this.#stopping.abort()
        listener.moved(nextOffset)
      },
      forgotten: () => { this.#source?.fail(new StreamsError('stream_not_found', 'the stored offset is gone')) }
    })
    this.#reporter = new Reporter(listener.report, () => ({
      nextOffset: this.#progress.reachedUntilNow ?? reached,
      retry: this.#delivery?.retry ?? retry ?? null,
      consecutiveFailures: this.#delivery?.failuresInARow ?? 0,
      missed: this.#missed,
      counts: this.#counts
    }))
    // Every request in flight listens, every message that waits for its next try, and every worker of a slot.
    setMaxListeners(0, this.#stopping.signal, this.#cutting.signal, seat.lost)
    shared.ticks.join(this)
    seat.lost.addEventListener('abort', this.#seatLost)
    this.#work = this.#run().finally(() => { shared.ticks.leave(this) })
  }

  async stop (how: 'settle' | 'abandon', timeoutMs: number): Promise<void> {
    if (how === 'abandon') {
      this.#isAbandoned = true
      this.#progress.close()
      this.#cutting.abort()
    }
    this.#stopping.abort()
    await (this.#end ??= this.#settle(timeoutMs))
  }

  skip (offset: number): void {
    this.#skipOffset = offset
    this.#delivery?.skip(offset)
    this.#wake?.()
  }

  tick (nowMs: number): void {
    const source = this.#source
    if (this.#stopping.signal.aborted || source === undefined) return
    // Messages that are not wanted are settled when those before them are.
    if (source.hasPassed()) this.#progress.reached(source.position, 0)
    this.#progress.tick(nowMs)
    if (source.isEmpty && this.#reporter.state === 'delivering') this.#reporter.show('idle')
    this.#reporter.tick()
    if (this.#course.filter === undefined || nowMs - this.#lookedAtMs < LOOK_MS) return
    this.#lookedAtMs = nowMs
    source.look()
  }

  async #settle (timeoutMs: number): Promise<void> {
    const { seat: { lost } } = this.#task
    const beganMs = performance.now()
    const work = this.#work.then(() => true)
    if (await within(work, { timeoutMs, signal: this.#cutting.signal }) === undefined) this.#cutting.abort()
    await this.#work
    if (!this.#isAbandoned) {
      const leftMs = Math.max(MIN_STORE_MS, timeoutMs - (performance.now() - beganMs))
      await within(this.#progress.store(), { timeoutMs: leftMs, signal: lost }).catch(() => {})
    }
    this.#progress.close()
    if (!this.#isAbandoned) this.#reporter.tick()
    lost.removeEventListener('abort', this.#seatLost)
  }

  // Until it is stopped, or has nothing more to do. Never rejects.
  async #run (): Promise<void> {
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        return await this.#deliver(() => { backoff.reset() })
      } catch (error) {
        if (signal.aborted) return
        this.#reporter.show('blocked', this.#reasonOf(error))
        if (error instanceof UnsendableError) return
      } finally {
        this.#source?.close()
        this.#source = undefined
      }
      await pause(backoff.nextMs(), signal)
    }
  }

  async #deliver (began: () => void): Promise<void> {
    const { signal } = this.#stopping
    const { reached, seat } = this.#task
    const delivery = this.#newDelivery()
    this.#delivery = delivery
    await untilFresh(seat, signal)
    const missed = (count: number): void => {
      this.#missed += count
      this.#shared.figures.missed += count
    }
    const source = (this.#source = new Source(this.#course, this.#shared, this.#amount, missed))
    await openSource({ source, course: this.#course, progress: this.#progress, reached, missed }, signal)
    began()
    const end = await this.#runFrom(source, delivery)
    if (end === undefined) return
    await this.#progress.store().catch(() => {})
    if (signal.aborted) return
    if (end === 'done') return this.#listener.done()
    this.#reporter.show('stopped', end)
    this.#listener.pause(end)
  }

  async #runFrom (source: Source, delivery: UnitDelivery): Promise<DeliveryEnd> {
    const run: Run = {
      source,
      amount: this.#amount,
      stopping: this.#stopping.signal,
      cutting: this.#cutting.signal,
      idle: () => { this.#reporter.show('idle') },
      waiting: (wake) => { this.#wake = wake }
    }
    return delivery instanceof OrderedDelivery ? await runOrdered(run, delivery) : await runWindowed(run, delivery)
  }

  // Why nothing is delivered, for the operator to read.
  #reasonOf (error: unknown): string {
    if (error instanceof StreamsError || error instanceof UnsendableError) return error.message
    const { key, partition } = this.#task.unit
    this.#shared.logger.error({ err: error, ...key, partition }, 'a push subscription has met a fault of the gateway')
    return 'a fault of the gateway, which its log has'
  }

  // Of a redrive: a subscription is not counted.
  #count (count: number, isDelivered: boolean): void {
    if (this.#counts === undefined) return
    const { delivered, failed } = this.#counts
    this.#counts = isDelivered ? { delivered: delivered + count, failed } : { delivered, failed: failed + count }
  }

  // Another one each time: what has ended with an error delivers nothing more.
  #newDelivery (): UnitDelivery {
    const before = this.#delivery
    if (before instanceof OrderedDelivery) return before
    const { subscription, retry } = this.#task
    const state = before === undefined ? retry : before.retry
    const delivery = makeDelivery({
      task: this.#task,
      shared: this.#shared,
      course: this.#course,
      progress: this.#progress,
      reporter: this.#reporter,
      settled: (offset, how) => {
        const count = this.#source?.settle(offset) ?? 0
        this.#count(count, how === 'delivered')
        return { next: this.#source?.position ?? offset + 1, count }
      },
      stopping: this.#stopping.signal
    }, state === undefined || isExhausted(state, policyOf(subscription.definition)) ? undefined : state)
    if (this.#skipOffset !== undefined) delivery.skip(this.#skipOffset)
    return delivery
  }
}
