import { Backoff, pause, StreamsError, within } from '../../streams/index.ts'
import { publisherNameOf } from '../errors/publisher-name.ts'
import { ErrorStream } from '../errors/error-stream.ts'
import { subscriptionCourse, type Course } from './course.ts'
import { amountOf, makeRun } from './make-run.ts'
import { openSource } from './open-source.ts'
import { Progress, untilFresh } from './progress.ts'
import { Reporter } from './reporter.ts'
import { Requests, UnsendableError } from './requests.ts'
import type { Run } from './run.ts'
import { Sender } from './sender.ts'
import type { Amount } from './message-queue.ts'
import { Source } from './source.ts'
import type { Ticking } from './ticks.ts'
import type { StartWorker, Worker, WorkerListener, WorkerShared, WorkerTask } from './worker-options.ts'

const FIRST_PAUSE_MS = 100
const MAX_PAUSE_MS = 15_000
const LOOK_MS = 5000
// For the last store, when the requests in flight have taken all the time there was.
const MIN_STORE_MS = 1000

/** Begins to deliver a unit. */
export const startWorker: StartWorker = (task, listener, shared) => {
  return new UnitWorker(subscriptionCourse(task), task, listener, shared)
}

class UnitWorker implements Worker, Ticking {
  readonly #course: Course
  readonly #task: WorkerTask
  readonly #listener: WorkerListener
  readonly #shared: WorkerShared
  readonly #amount: Amount
  readonly #progress: Progress
  readonly #reporter: Reporter
  // Nothing more is sent.
  readonly #stopping = new AbortController()
  // What is in flight is given up.
  readonly #cutting = new AbortController()
  readonly #seatLost = (): void => { void this.stop('abandon', 0) }
  readonly #work: Promise<void>
  #run: Run | undefined
  #source: Source | undefined
  #skipOffset: number | undefined
  #missed = 0
  #lookedAtMs = performance.now()
  #isAbandoned = false
  #end: Promise<void> | undefined

  constructor (course: Course, task: WorkerTask, listener: WorkerListener, shared: WorkerShared) {
    const { subscription: { definition, skips }, seat, unit, retry } = task
    this.#course = course
    this.#task = task
    this.#listener = listener
    this.#shared = shared
    this.#amount = amountOf(definition)
    this.#skipOffset = skips[unit.partition]
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
      nextOffset: this.#progress.next,
      retry: (this.#run === undefined ? retry : this.#run.retry) ?? null,
      consecutiveFailures: this.#run?.failuresInARow ?? 0,
      missed: this.#missed
    }))
    shared.ticks.join(this)
    seat.lost.addEventListener('abort', this.#seatLost)
    this.#work = this.#deliver().finally(() => { shared.ticks.leave(this) })
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
    this.#run?.skip(offset)
  }

  tick (nowMs: number): void {
    const source = this.#source
    if (this.#stopping.signal.aborted || source === undefined) return
    // Messages that are not wanted are settled when those before them are.
    if (source.hasPassed()) this.#progress.reached(source.position, 0)
    this.#progress.tick(nowMs)
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
    lost.removeEventListener('abort', this.#seatLost)
  }

  // Until it is stopped, or has nothing more to do. Never rejects.
  async #deliver (): Promise<void> {
    const backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        return await this.#deliverOnce(() => { backoff.reset() })
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

  async #deliverOnce (began: () => void): Promise<void> {
    const { signal } = this.#stopping
    const { reached, seat } = this.#task
    const run = (this.#run ??= this.#makeRun())
    await untilFresh(seat, signal)
    const missed = (count: number): void => {
      this.#missed += count
      this.#shared.figures.missed += count
    }
    const source = (this.#source = new Source(this.#course, this.#shared, this.#amount, missed))
    await openSource({ source, course: this.#course, progress: this.#progress, reached, missed }, signal)
    began()
    const end = await run.deliverFrom(source)
    if (end === undefined) return
    await this.#progress.store().catch(() => {})
    if (signal.aborted) return
    if (end === 'done') return this.#listener.done()
    this.#reporter.show('stopped', end)
    this.#listener.pause(end)
  }

  // Why nothing is delivered, for the operator to read.
  #reasonOf (error: unknown): string {
    if (error instanceof StreamsError || error instanceof UnsendableError) return error.message
    const { key, partition } = this.#task.unit
    this.#shared.logger.error({ err: error, ...key, partition }, 'a push subscription has met a fault of the gateway')
    return 'a fault of the gateway, which its log has'
  }

  /** @throws UnsendableError */
  #makeRun (): Run {
    const { retry, subscription: { definition }, seat } = this.#task
    const { sealing, virtualHost, version } = this.#shared
    const requests = new Requests({ task: this.#task, sealing, virtualHost, stream: this.#course.stream, version })
    const sender = new Sender({
      shared: this.#shared,
      seat,
      requests,
      progress: this.#progress,
      reporter: this.#reporter,
      entries: this.#errorStream(),
      settled: (offset) => {
        const count = this.#source?.taken(offset) ?? 0
        return { next: this.#source?.position ?? offset + 1, count }
      },
      stopping: this.#stopping.signal
    })
    const run = makeRun(definition, sender, retry, {
      reporter: this.#reporter,
      stopping: this.#stopping.signal,
      cutting: this.#cutting.signal
    })
    if (this.#skipOffset !== undefined) run.skip(this.#skipOffset)
    return run
  }

  #errorStream (): ErrorStream {
    const { unit, subscription: { definition, generation } } = this.#task
    const { broker, logger } = this.#shared
    const { key: { source, stream, subscription }, redrive } = unit
    return new ErrorStream({
      broker,
      errorStream: definition.errorStream,
      source: this.#course.stream,
      owner: { subscription, superStream: source === 'superStream' ? stream : '' },
      redrive,
      publisher: definition.ordering === 'stream' ? publisherNameOf(unit, generation) : undefined,
      blocked: (reason) => {
        if (reason !== null) this.#reporter.show('blocked', reason)
      },
      logger
    })
  }
}
