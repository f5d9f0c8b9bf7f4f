import type { FastifyReply } from 'fastify'
import { HIDDEN } from '../../api/subscription-parts.ts'
import type { Subscription, SubscriptionKey } from '../../push/definitions/definitions.ts'
import type { PushPort, RedriveProgress, SubscriptionStatus } from '../../push/push-port.ts'
import type { LastFailure } from '../../push/status/status-record.ts'
import { etagOf } from './conditions.ts'

// The worst one first.
const STATES = ['paused', 'blocked', 'failing', 'retrying', 'unassigned', 'delivering', 'idle'] as const

/** The definition as a caller may see it, and may send it back. */
export function shownDefinition ({ definition }: Subscription) {
  const { headers, secrets, paused, ...rest } = definition
  const now = Date.now()
  return {
    ...rest,
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, HIDDEN])),
    secrets: secrets.filter(({ until }) => until === null || until > now).map(() => HIDDEN),
    paused: paused !== null
  }
}

/** A subscription and what it does at the moment. @throws StreamsError */
export async function shown (push: PushPort, subscription: Subscription) {
  const { key, version } = subscription
  return {
    ...namesOf(key),
    version,
    ...shownDefinition(subscription),
    status: statusOf(key, await push.status(subscription))
  }
}

/** The same as an answer with its `ETag`. */
export async function answerWith (reply: FastifyReply, push: PushPort, subscription: Subscription) {
  void reply.header('etag', etagOf(subscription.version))
  return await shown(push, subscription)
}

export function shownRedrive ({ redrive, position, record, counts }: RedriveProgress) {
  const { id, state, at, request: { from, to, limit, class: failure, status } } = redrive
  return {
    id,
    state,
    from,
    to,
    limit,
    class: failure,
    status,
    requestedAt: timeOf(at),
    position,
    delivered: counts?.delivered ?? null,
    failed: counts?.failed ?? null,
    lastFailure: shownFailure(record?.lastFailure ?? null)
  }
}

function namesOf ({ source, stream, subscription }: SubscriptionKey) {
  return source === 'stream' ? { stream, subscription } : { superStream: stream, subscription }
}

function statusOf ({ source }: SubscriptionKey, units: ReadonlyMap<string, SubscriptionStatus>) {
  const all = [...units].map(([partition, status]) => ({ partition, ...progressOf(status) }))
  if (source === 'superStream') {
    return { ...sumOf([...units.values()]), partitions: all.filter(({ partition }) => partition !== '') }
  }
  const [one] = units.values()
  return one === undefined ? sumOf([]) : progressOf(one)
}

function sumOf (all: readonly SubscriptionStatus[]) {
  const worst = STATES.find((state) => all.some((status) => status.state === state)) ?? 'unassigned'
  const { reason = null } = all.find(({ state }) => state === worst) ?? {}
  const lags = all.map(({ lag }) => lag)
  const lag = lags.reduce<number | null>((sum, lag) => sum === null || lag === null ? null : sum + lag, 0)
  return { state: worst, reason, lag: all.length === 0 ? null : lag }
}

function progressOf ({ state, reason, record, storedOffset, nextOffset, lag }: SubscriptionStatus) {
  const retry = record?.retry ?? null
  return {
    state,
    reason,
    lag,
    owner: state === 'unassigned' ? null : record?.owner ?? null,
    storedOffset,
    nextOffset,
    attempt: retry === null ? null : retry.attempts + 1,
    nextAttemptAt: retry === null ? null : timeOf(retry.nextAttemptAt),
    lastSuccessAt: record?.lastSuccessAt == null ? null : timeOf(record.lastSuccessAt),
    lastFailure: shownFailure(record?.lastFailure ?? null),
    consecutiveFailures: record?.consecutiveFailures ?? 0,
    missed: record?.missed ?? 0
  }
}

function shownFailure (failure: LastFailure | null) {
  return failure === null ? null : { ...failure, at: timeOf(failure.at) }
}

function timeOf (ms: number): string {
  return new Date(ms).toISOString()
}
