import { Type, type TSchema } from '@sinclair/typebox'
import { offset } from './schemas.ts'
import { DEFINITION_PROPERTIES } from './subscription-schemas.ts'

const orNull = (schema: TSchema, description: string) =>
  Type.Union([schema, Type.Null()], { description })
const integerOrNull = (description: string) => orNull(Type.Integer(), description)
const timeOrNull = (description: string) => orNull(Type.String({ format: 'date-time' }), description)
const textOrNull = (description: string) => orNull(Type.String(), description)

const failureClass = Type.Unsafe<string>({
  type: 'string',
  enum: ['message', 'ambiguous', 'endpoint', 'gone'],
  title: 'FailureClass',
  description: 'What failed: the message, the message or the endpoint, the endpoint; or the endpoint wants no more.'
})

const LastFailure = Type.Object(
  {
    at: Type.String({ format: 'date-time' }),
    offset: offset('The message that was tried.'),
    class: failureClass,
    status: integerOrNull('The status of the answer; null when there was no answer.'),
    error: Type.String({ description: 'What went wrong: the beginning of the answer, or why there was no answer.' })
  },
  { title: 'LastFailure' }
)

const state = Type.Unsafe<string>({
  type: 'string',
  enum: ['idle', 'delivering', 'retrying', 'failing', 'paused', 'blocked', 'unassigned'],
  title: 'SubscriptionState',
  description: '`idle`: everything is delivered. `retrying`: the last try failed. `failing`: the endpoint is away. ' +
    '`blocked`: the error stream cannot be written, or RabbitMQ is blocked. `unassigned`: no instance has it at the ' +
    'moment. Of a super stream: the worst state of its partitions.'
})

const lag = integerOrNull('The number of offsets up to the last message; null when it is not known.')

const progress = {
  owner: textOrNull('The instance that delivers; null when no instance delivers.'),
  storedOffset: integerOrNull('The last message that is stored as processed; null when nothing is stored.'),
  nextOffset: integerOrNull('The message that is delivered next.'),
  attempt: integerOrNull('Which try the next one of this message is; null when the last try succeeded.'),
  nextAttemptAt: timeOrNull('When it comes.'),
  lastSuccessAt: timeOrNull('When a message was delivered last.'),
  lastFailure: orNull(LastFailure, 'How a delivery has failed last; null when none has.'),
  consecutiveFailures: Type.Integer({ description: 'Messages in a row that have failed for good.' }),
  missed: Type.Integer({ description: 'Messages that retention removed before they were delivered.' })
}

const reason = textOrNull(
  'Why it is paused (`operator`, `gone`, `outage`, `too_many_failures`, `message_failed`) or blocked; null otherwise.'
)

const Status = Type.Object(
  {
    state,
    reason,
    lag,
    ...Object.fromEntries(Object.entries(progress).map(([name, schema]) => [name, Type.Optional(schema)])),
    partitions: Type.Optional(Type.Array(
      Type.Object(
        { partition: Type.String({ description: 'The name of the partition.' }), state, reason, lag, ...progress },
        { title: 'PartitionSubscriptionStatus' }
      ),
      { description: 'Of a super stream: how far each partition is, in place of the members about one stream.' }
    ))
  },
  { title: 'SubscriptionStatus', description: 'What the owner said last, at most some seconds ago.' }
)

/** A subscription as answers show it. */
export const SubscriptionSchema = Type.Object(
  {
    stream: Type.Optional(Type.String({ description: 'The stream that it delivers.' })),
    superStream: Type.Optional(Type.String({ description: 'Or the super stream.' })),
    subscription: Type.String({ description: 'Its name.' }),
    version: Type.Integer({ description: 'Grows with each change; the `ETag` has it.' }),
    ...DEFINITION_PROPERTIES,
    status: Status
  },
  { $id: 'Subscription' }
)

/** A page of subscriptions. */
export const SubscriptionList = Type.Object(
  {
    subscriptions: Type.Array(Type.Ref('Subscription')),
    nextCursor: Type.Union([Type.String(), Type.Null()], {
      description: 'Where the next page begins; null on the last one.'
    })
  },
  { $id: 'SubscriptionList' }
)

/** What came of a test. */
export const SubscriptionTest = Type.Object(
  {
    isDelivered: Type.Boolean({ description: 'Whether the endpoint answered with 2xx.' }),
    class: orNull(failureClass, 'The class that the failure of a message would have; null when the request succeeded.'),
    status: integerOrNull('The status of the answer; null when there was no answer.'),
    error: textOrNull('What went wrong: the beginning of the answer, or why there was no answer.'),
    tookMs: Type.Number()
  },
  { title: 'SubscriptionTest' }
)

/** A secret that was made or set. */
export const RotatedSecret = Type.Object(
  {
    secret: Type.String({ description: 'The new secret. No other answer shows it.' }),
    version: Type.Integer({ description: 'The version that the subscription has now.' }),
    oldSecretsUntil: timeOrNull('Until when the old secrets sign along; null when there were none.')
  },
  { title: 'RotatedSecret' }
)

/** A redrive as answers show it. */
export const RedriveSchema = Type.Object(
  {
    id: Type.String(),
    state: Type.Unsafe<string>({
      type: 'string', enum: ['running', 'done', 'cancelled'], title: 'RedriveState'
    }),
    from: Type.Integer({ description: 'The first offset of the error stream.' }),
    to: Type.Integer({ description: 'The last one.' }),
    limit: integerOrNull('The most entries that are delivered; null when all are.'),
    class: orNull(failureClass, 'Only entries of this class; null: of any.'),
    status: integerOrNull('Only entries with this status of the answer; null: with any.'),
    requestedAt: Type.String({ format: 'date-time' }),
    position: integerOrNull('The offset of the error stream that comes next; null when it is not known.'),
    delivered: integerOrNull(
      'Entries that the endpoint has processed, also of a redrive that has ended; null when it is not known. After a ' +
      'takeover some may be counted again.'
    ),
    failed: integerOrNull('Entries that have failed again: they were written anew, or dropped. As `delivered`.'),
    lastFailure: orNull(LastFailure, 'How a delivery has failed last; null when none has.')
  },
  { $id: 'Redrive' }
)

/** The redrives of a subscription. */
export const RedriveList = Type.Object(
  { redrives: Type.Array(Type.Ref('Redrive'), { description: 'Those that run, and the last ones that have ended.' }) },
  { $id: 'RedriveList' }
)
