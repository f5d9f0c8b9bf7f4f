import { Type } from '@sinclair/typebox'
import type { Definition } from '../push/definitions/definition.ts'
import { ResetTarget } from './consumer-schemas.ts'

/** In place of what is written and never shown. */
export const HIDDEN = '***'

const MAX_SECRETS = 4
const MAX_HEADERS = 32
const MAX_HEADER_NAME = 100
const MAX_HEADER_VALUE = 4096
const MAX_FILTER_VALUES = 16
const HOUR_MS = 3_600_000
const DAY_SECONDS = 86_400

/*
 * The members of a subscription, with their bounds and defaults.
 */

const literals = <T extends string>(values: readonly T[], description: string, fallback?: T) =>
  Type.Unsafe<T>({
    type: 'string', enum: [...values], description, ...(fallback !== undefined && { default: fallback })
  })

export const batch = {
  maxMessages: Type.Integer({ minimum: 1, maximum: 1000, default: 1, description: 'Messages in one request.' }),
  maxBytes: Type.Integer({
    minimum: 1024,
    maximum: 4 * 1024 * 1024,
    default: 262_144,
    description: 'Bytes of the body of one request. A message that is larger goes alone.'
  }),
  maxWaitMs: Type.Integer({
    minimum: 0, maximum: 60_000, default: 0, description: 'How long a request waits for more messages.'
  })
}

export const retry = {
  initialDelayMs: Type.Integer({
    minimum: 10, maximum: HOUR_MS, default: 1000, description: 'The pause after the first try that fails.'
  }),
  maxDelayMs: Type.Integer({
    minimum: 10, maximum: 24 * HOUR_MS, default: 600_000, description: 'The longest pause. At least `initialDelayMs`.'
  }),
  factor: Type.Number({
    minimum: 1, maximum: 100, default: 2, description: 'By how much each pause is longer than the one before.'
  }),
  maxAttempts: Type.Integer({
    minimum: 1, maximum: 1000, default: 10, description: 'Tries for a message when it may be to blame.'
  }),
  messageAttempts: Type.Integer({
    minimum: 1, maximum: 1000, default: 3, description: 'Tries for a message that the endpoint refuses.'
  }),
  maxOutageSeconds: Type.Integer({
    minimum: 1,
    maximum: 30 * DAY_SECONDS,
    default: 3 * DAY_SECONDS,
    description: 'How long an endpoint may be away before the subscription pauses.'
  })
}

export const filter = {
  filterValues: Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
    maxItems: MAX_FILTER_VALUES,
    default: [],
    description: 'Only messages that were published with one of these filter values. Empty: all messages.'
  }),
  matchUnfiltered: Type.Boolean({
    default: false, description: 'Also messages that were published without a filter value.'
  })
}

export const commit = {
  everyMs: Type.Integer({
    minimum: 100, maximum: 60_000, default: 1000, description: 'How often the offset is stored while messages flow.'
  }),
  everyMessages: Type.Integer({
    minimum: 1, maximum: 100_000, default: 1000, description: 'After how many messages it is stored at the latest.'
  })
}

export const plain = {
  url: Type.String({
    minLength: 1,
    maxLength: 2048,
    description: 'Where the messages go, by POST: an https URL.',
    examples: ['https://api.example.com/hooks/orders']
  }),
  start: Type.Unsafe<Definition['start']>({
    ...ResetTarget,
    default: 'next',
    description: 'Where it begins while the consumer has no stored offset: "first", "last", "next", {"offset": 3} ' +
      'or {"timestamp": "2026-01-31T12:00:00.000Z"}.'
  }),
  ordering: literals(
    ['stream', 'key', 'none'],
    '`stream`: one request at a time, the next one after the answer. `key`: messages with the same `orderingKey` in ' +
    'their order. `none`: in any order.',
    'stream'
  ),
  orderingKey: Type.Unsafe<string | null>({
    type: ['string', 'null'],
    pattern: '^(properties\\.(groupId|subject)|applicationProperties\\..+)$',
    maxLength: 255,
    default: null,
    description: 'With `ordering: key`: `properties.groupId`, `properties.subject` or `applicationProperties.<name>`.',
    examples: ['properties.groupId']
  }),
  concurrency: Type.Integer({
    minimum: 1, maximum: 64, default: 1, description: 'Requests at a time, unless `ordering` is `stream`.'
  }),
  format: literals(
    ['message', 'raw'],
    '`message`: the body of a request is the message as a read has it. `raw`: it is the body of the message, with ' +
    'its content type.',
    'message'
  ),
  timeoutMs: Type.Integer({
    minimum: 1000, maximum: 60_000, default: 15_000, description: 'For one request and its answer.'
  }),
  onFailure: literals(
    ['errorStream', 'pause', 'drop'],
    'What becomes of a message that has failed for good. `errorStream`: it is written there. `pause`: the ' +
    'subscription pauses. `drop`: it is counted and nothing more.',
    'errorStream'
  ),
  errorStream: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'The stream of messages that have failed. By default `<stream>_errors`. It is created when it does ' +
      'not exist, with the retention of the source where the management API tells it.',
    examples: ['orders_errors']
  }),
  maxConsecutiveFailures: Type.Integer({
    minimum: 1,
    maximum: 100_000,
    default: 20,
    description: 'Messages in a row that may fail for good. After one more the subscription pauses.'
  }),
  headers: Type.Record(Type.String(), Type.String({ maxLength: MAX_HEADER_VALUE }), {
    maxProperties: MAX_HEADERS,
    default: {},
    description: 'Further headers of the requests, such as `authorization`. Their values are never shown: an answer ' +
      `has "${HIDDEN}", and sent back that means the value that is there, unless the URL leads to another server. ` +
      `A name has at most ${MAX_HEADER_NAME} characters.`,
    examples: [{ authorization: 'Bearer abc' }]
  }),
  secrets: Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
    minItems: 1,
    maxItems: MAX_SECRETS,
    description: 'What requests are signed with, each as `whsec_` and 24 to 64 bytes in base64. Never shown: an ' +
      `answer has "${HIDDEN}", and sent back that means those that are there. Left out, the subscription keeps them; ` +
      'for a new one a secret is made, which only the answer to this request shows.'
  }),
  consumer: Type.String({
    minLength: 1,
    maxLength: 255,
    description: 'The consumer whose offset says how far the subscription is. By default `push.<subscription>`.',
    examples: ['push.billing']
  })
}
