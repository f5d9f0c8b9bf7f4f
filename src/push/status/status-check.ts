import { anyOf, isCount, isNumber, isString, oneOf, shape, type Check } from '../log/shape.ts'
import type { RetryState } from '../delivery/ordered-delivery.ts'
import type { Counts, LastFailure, SlotRecord, StatusRecord } from './status-record.ts'

const isNull = oneOf(null)
const isClass = oneOf('message', 'ambiguous', 'endpoint', 'gone')

const isRetry = shape<RetryState>({
  offset: isCount,
  attempts: isCount,
  counted: isCount,
  failure: isClass,
  status: anyOf(isNumber, oneOf(undefined)),
  error: isString,
  firstFailedAt: isNumber,
  failedAt: isNumber,
  nextAttemptAt: isNumber
})

const isFailure = shape<LastFailure>({
  at: isNumber, offset: isCount, class: isClass, status: anyOf(isNumber, isNull), error: isString
})

/** Whether a record of the status stream is what an owner says of a unit. */
export const isStatusRecord: Check<StatusRecord> = shape<StatusRecord>({
  unit: isString,
  owner: isString,
  generation: isCount,
  takeovers: isCount,
  at: isNumber,
  state: oneOf('idle', 'delivering', 'retrying', 'failing', 'blocked', 'stopped'),
  reason: anyOf(isString, isNull),
  nextOffset: isCount,
  retry: anyOf(isRetry, isNull),
  lastSuccessAt: anyOf(isNumber, isNull),
  lastFailure: anyOf(isFailure, isNull),
  consecutiveFailures: isCount,
  missed: isCount,
  counts: anyOf(shape<Counts>({ delivered: isCount, failed: isCount }), oneOf(undefined))
})

/** Whether a record of the status stream names the owner of a slot. */
export const isSlotRecord: Check<SlotRecord> = shape<SlotRecord>({ slot: isCount, owner: isString, at: isNumber })
