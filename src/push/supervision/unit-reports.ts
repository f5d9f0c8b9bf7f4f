import type { Subscription } from '../definitions/command.ts'
import type { Counts, Report, StatusRecord } from '../status/status-record.ts'
import { unitId, type Unit } from '../unit.ts'
import type { WorkerTask } from '../worker/worker-options.ts'
import type { StatusSink } from './ports.ts'

interface Options {
  readonly status: Pick<StatusSink, 'publish'>
  readonly instance: string
}

const NOTHING: Report = {
  state: 'stopped',
  reason: null,
  nextOffset: 0,
  retry: null,
  lastSuccessAt: null,
  lastFailure: null,
  consecutiveFailures: 0,
  missed: 0
}

/** What this process says of a unit. */
export class UnitReports {
  readonly #options: Options
  readonly #unit: string
  #subscription: Subscription | undefined
  #report: Report | undefined
  #takeovers = 0
  // By the workers before, in this generation: a worker counts from 0.
  #missedBefore = 0
  #countsBefore: Counts | undefined

  constructor (unit: Unit, options: Options) {
    this.#unit = unitId(unit)
    this.#options = options
  }

  /** Whether it is known where the unit stands. */
  get hasPlace (): boolean {
    return this.#report !== undefined
  }

  /**
   * A worker is about to begin, or the unit is about to stand still.
   *
   * @param record the last word on the unit, of whichever owner
   * @returns with what a worker continues: see `WorkerTask`. A retry belongs to the definition that failed: it is tried
   *   again at once when that has changed, or when it was paused
   */
  begin (
    subscription: Subscription, record: StatusRecord | undefined
  ): Pick<WorkerTask, 'retry' | 'reached' | 'deliveryGeneration'> {
    const isFirst = this.#takeovers === 0
    if (isFirst) this.#takeovers = (record?.takeovers ?? 0) + 1
    const fits = record?.generation === subscription.generation
    const isSameGeneration = isFirst ? fits : this.#subscription?.generation === subscription.generation
    if (isFirst && fits) this.#report = record
    const reached = isSameGeneration ? this.#report?.nextOffset : undefined
    if (!isFirst && !isSameGeneration && this.#report !== undefined) {
      this.#report = { ...this.#report, retry: null, missed: 0, consecutiveFailures: 0 }
    }
    this.#subscription = subscription
    this.#missedBefore = this.#report?.missed ?? 0
    this.#countsBefore = this.#report?.counts
    const retry = isFirst && fits && record.state !== 'stopped' ? record.retry ?? undefined : undefined
    // Both only grow, also when a subscription is deleted and created anew.
    return { retry, reached, deliveryGeneration: subscription.generation + this.#takeovers }
  }

  /** What the worker says. What it does not know, because it is new, stays. */
  worker (report: Report): void {
    this.#publish({
      ...report,
      lastSuccessAt: report.lastSuccessAt ?? this.#report?.lastSuccessAt ?? null,
      lastFailure: report.lastFailure ?? this.#report?.lastFailure ?? null,
      missed: this.#missedBefore + report.missed,
      ...(report.counts && { counts: sumOf(report.counts, this.#countsBefore) })
    })
  }

  /** The unit stands still. Whatever failed before is tried afresh when it continues. */
  stopped (reason: string): void {
    this.#publish({ ...this.#report ?? NOTHING, state: 'stopped', reason, retry: null, consecutiveFailures: 0 })
  }

  /** The place is another one. */
  moved (nextOffset: number): void {
    this.#report = { ...this.#report ?? NOTHING, nextOffset, retry: null }
  }

  #publish (report: Report): void {
    this.#report = report
    const { status, instance } = this.#options
    const generation = this.#subscription?.generation
    if (generation === undefined) return
    const { state, reason, nextOffset, retry, lastSuccessAt, lastFailure, consecutiveFailures, missed, counts } = report
    status.publish({
      state,
      reason,
      nextOffset,
      retry,
      lastSuccessAt,
      lastFailure,
      consecutiveFailures,
      missed,
      ...(counts && { counts }),
      unit: this.#unit,
      owner: instance,
      generation,
      takeovers: this.#takeovers,
      at: Date.now()
    })
  }
}

function sumOf (counts: Counts, before: Counts = { delivered: 0, failed: 0 }): Counts {
  return { delivered: counts.delivered + before.delivered, failed: counts.failed + before.failed }
}
