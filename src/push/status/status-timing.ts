import type { StatusRecord } from './status-record.ts'

/** How often a unit is written about, ms. */
export interface StatusTimes {
  /** Between changes of what a unit does. */
  readonly changeMs: number
  /** Between records of which only the place in the stream is new. */
  readonly progressMs: number
  /** Between records of failures that follow each other quickly. */
  readonly quickRetryMs: number
  /** A record with a retry is written again after this time. */
  readonly renewRetryMs: number
  /** Any other record is. */
  readonly renewMs: number
}

export const STATUS_TIMES: StatusTimes = {
  changeMs: 1000, progressMs: 4000, quickRetryMs: 5000, renewRetryMs: 15_000, renewMs: 300_000
}

/** The delay before the next try from which on a retry has to outlive its owner. */
const LONG_DELAY_MS = 1000

/** A record that is in the status stream. */
export interface WrittenStatus {
  readonly record: StatusRecord
  /** By performance.now(). */
  readonly atMs: number
}

/** When a record has to be written, by performance.now(). */
export function dueMsOf (
  record: StatusRecord, written: WrittenStatus | undefined, nowMs: number, times: StatusTimes
): number {
  if (written === undefined || isUrgent(record, written.record)) return nowMs
  if (isSame(record, written.record)) {
    return written.atMs + (record.retry === null ? times.renewMs : times.renewRetryMs)
  }
  return written.atMs + spacing(record, written.record, times)
}

function spacing (record: StatusRecord, before: StatusRecord, times: StatusTimes): number {
  if (record.retry !== null) return isSameRetry(record, before) ? times.changeMs : times.quickRetryMs
  return record.state === before.state && before.retry === null ? times.progressMs : times.changeMs
}

// What another owner must know, and what others wait for.
function isUrgent (record: StatusRecord, before: StatusRecord): boolean {
  if (record.takeovers !== before.takeovers || record.generation !== before.generation) return true
  if (record.state !== before.state && (record.state === 'stopped' || record.state === 'blocked')) return true
  const { retry } = record
  return retry !== null && !isSameRetry(record, before) && retry.nextAttemptAt - retry.failedAt >= LONG_DELAY_MS
}

/** Whether both speak of the same failure. */
function isSameRetry ({ retry }: StatusRecord, before: StatusRecord): boolean {
  return retry?.offset === before.retry?.offset && retry?.attempts === before.retry?.attempts
}

/** All but the time of the record. Asked for every message that is delivered. */
export function isSame (record: StatusRecord, before: StatusRecord): boolean {
  return record.nextOffset === before.nextOffset && record.state === before.state && record.reason === before.reason &&
    isSameRetry(record, before) && record.retry?.nextAttemptAt === before.retry?.nextAttemptAt &&
    record.lastSuccessAt === before.lastSuccessAt && record.lastFailure?.at === before.lastFailure?.at &&
    record.consecutiveFailures === before.consecutiveFailures && record.missed === before.missed
}
