import { json } from '../../api/schemas.ts'
import type { ProblemCode } from '../../api/problems.ts'
import { SubscriptionSchema } from '../../api/subscription-answers.ts'

/** Bodies beyond this are refused unread. What is kept is bounded more closely. */
export const MAX_BODY_BYTES = 32 * 1024

export const tags = ['Push']

export const ETAG = { etag: { description: 'The version of the subscription, for `If-Match`.', type: 'string' } }

/** What preparing an error stream can answer. */
export const ERROR_STREAM_PROBLEMS = [
  'stream_arguments_differ', 'super_stream_exists', 'management_unavailable'
] as const satisfies readonly ProblemCode[]

const EXAMPLE = {
  stream: 'hello',
  subscription: 'billing',
  version: 4,
  url: 'https://api.example.com/hooks/orders',
  start: 'next',
  ordering: 'stream',
  orderingKey: null,
  concurrency: 1,
  batch: { maxMessages: 1, maxBytes: 262_144, maxWaitMs: 0 },
  format: 'message',
  filter: { filterValues: [], matchUnfiltered: false },
  timeoutMs: 15_000,
  retry: {
    initialDelayMs: 1000, maxDelayMs: 600_000, factor: 2, maxAttempts: 10, messageAttempts: 3, maxOutageSeconds: 259_200
  },
  onFailure: 'errorStream',
  errorStream: 'hello_errors',
  maxConsecutiveFailures: 20,
  commit: { everyMs: 1000, everyMessages: 1000 },
  headers: {},
  secrets: ['***'],
  consumer: 'push.billing',
  paused: false,
  status: {
    state: 'idle',
    reason: null,
    lag: 0,
    owner: 'gateway-1',
    storedOffset: 41,
    nextOffset: 42,
    attempt: null,
    nextAttemptAt: null,
    lastSuccessAt: '2026-01-31T12:00:00.000Z',
    lastFailure: null,
    consecutiveFailures: 0,
    missed: 0
  }
} as const

/** An answer with a subscription. */
export function subscriptionJson (description: string, example: object = {}) {
  return json(description, SubscriptionSchema, { ...EXAMPLE, ...example }, ETAG)
}

export const EXAMPLE_SUBSCRIPTION = EXAMPLE
