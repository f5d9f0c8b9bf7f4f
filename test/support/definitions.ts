import type { Definition } from '../../src/push/definitions/definition.ts'
import type { StatusRecord } from '../../src/push/status/status-record.ts'
import type { SubscriptionKey } from '../../src/push/definitions/definitions.ts'

/** The definition of a subscription as it is kept, without secrets. */
export function aDefinition (overrides: Partial<Definition> = {}): Definition {
  return {
    url: 'https://example.com/',
    start: 'next',
    ordering: 'stream',
    orderingKey: null,
    concurrency: 1,
    batch: { maxMessages: 1, maxBytes: 262_144, maxWaitMs: 0 },
    format: 'message',
    filter: { filterValues: [], matchUnfiltered: false },
    timeoutMs: 15_000,
    retry: {
      initialDelayMs: 1000,
      maxDelayMs: 600_000,
      factor: 2,
      maxAttempts: 10,
      messageAttempts: 3,
      maxOutageSeconds: 259_200
    },
    onFailure: 'errorStream',
    errorStream: 'orders_errors',
    maxConsecutiveFailures: 20,
    commit: { everyMs: 1000, everyMessages: 1000 },
    headers: {},
    secrets: [],
    consumer: 'push.a',
    paused: null,
    ...overrides
  }
}

/** A subscription of the stream `orders`. */
export function aKey (subscription: string): SubscriptionKey {
  return { source: 'stream', stream: 'orders', subscription }
}

/** What an owner says of the unit `u`. */
export function aStatus (overrides: Partial<StatusRecord> = {}): StatusRecord {
  return {
    unit: 'u',
    owner: 'one',
    generation: 1,
    takeovers: 1,
    at: Date.now(),
    state: 'delivering',
    reason: null,
    nextOffset: 0,
    retry: null,
    lastSuccessAt: null,
    lastFailure: null,
    consecutiveFailures: 0,
    missed: 0,
    ...overrides
  }
}
