import { Type } from '@sinclair/typebox'
import { ResetTarget } from './consumer-schemas.ts'
import { offset, StreamParams, strictObject, SuperStreamParams } from './schemas.ts'

const MAX_PARTITIONS = 1000
const MAX_OVERLAP_SECONDS = 30 * 86_400

const subscription = Type.String({
  minLength: 1,
  maxLength: 100,
  pattern: '^[A-Za-z0-9][A-Za-z0-9._~-]*$',
  description: 'Name of the subscription: up to 100 letters, digits and `._~-`, the first one a letter or a digit.',
  examples: ['billing']
})
const redrive = Type.String({
  minLength: 1, maxLength: 100, description: 'The `id` of the redrive.', examples: ['1024']
})

export const SubscriptionParams = strictObject({ ...StreamParams.properties, subscription })
export const SuperStreamSubscriptionParams = strictObject({ ...SuperStreamParams.properties, subscription })
export const RedriveParams = strictObject({ ...SubscriptionParams.properties, redrive })
export const SuperStreamRedriveParams = strictObject({ ...SuperStreamSubscriptionParams.properties, redrive })

/** Which page of subscriptions is wanted. */
export const SubscriptionsQuery = strictObject({
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'How many subscriptions at most.' }),
  cursor: Type.Optional(Type.String({ minLength: 1, description: '`nextCursor` of the previous page.' }))
})

const ifMatch = Type.Optional(Type.String({
  description: 'Do this only when the subscription has this version, as its `ETag` has it; `*`: any version.'
}))

/** The conditions of a change. The handler checks them. */
export const ChangeConditions = Type.Object({ 'if-match': ifMatch })
export const PutConditions = Type.Object({
  'if-match': ifMatch,
  'if-none-match': Type.Optional(Type.String({ description: '`*`: only create; replace nothing.' }))
})

/** The body of a reset of a subscription of a stream. */
export const SubscriptionReset = strictObject(
  { to: ResetTarget }, { title: 'SubscriptionReset', examples: [{ to: 'first' }] }
)

/** The same for a super stream. */
export const SuperStreamSubscriptionReset = strictObject(
  {
    to: ResetTarget,
    partitions: Type.Optional(Type.Array(Type.String({ minLength: 1 }), {
      minItems: 1, maxItems: MAX_PARTITIONS, uniqueItems: true, description: 'Only these. By default all partitions.'
    }))
  },
  { title: 'SuperStreamSubscriptionReset', examples: [{ to: 'first' }] }
)

const skipped = offset('The message that the subscription stands on.')

/** Which message is skipped. */
export const SubscriptionSkip = strictObject(
  { offset: skipped }, { title: 'SubscriptionSkip', examples: [{ offset: 0 }] }
)

/** The same for a super stream. */
export const SuperStreamSubscriptionSkip = strictObject(
  { offset: skipped, partition: Type.String({ minLength: 1, description: 'The name of its partition.' }) },
  { title: 'SuperStreamSubscriptionSkip', examples: [{ partition: 'orders-0', offset: 0 }] }
)

/** How a secret is replaced. */
export const SecretRotation = strictObject(
  {
    secret: Type.Optional(Type.String({
      minLength: 1, maxLength: 100, description: 'The new secret. By default one is made.'
    })),
    overlapSeconds: Type.Optional(Type.Integer({
      minimum: 0, maximum: MAX_OVERLAP_SECONDS, default: 86_400, description: 'How long the old secrets sign along.'
    }))
  },
  { title: 'SecretRotation', examples: [{ overlapSeconds: 86_400 }] }
)

const END = 'Included; by default the last entry that there is now.'

/** Which entries of the error stream are delivered again. */
export const RedriveToStart = strictObject(
  {
    from: Type.Optional(Type.Unsafe<typeof ResetTarget.static>({
      ...ResetTarget, default: 'first', description: 'Where in the error stream it begins, as for a reset.'
    })),
    to: Type.Optional(offset(`The last offset of the error stream. ${END}`)),
    limit: Type.Optional(Type.Integer({
      minimum: 1, maximum: 1_000_000_000, description: 'The most entries that are delivered.'
    })),
    class: Type.Optional(Type.Unsafe<'message' | 'ambiguous'>({
      type: 'string', enum: ['message', 'ambiguous'], description: 'Only entries of this class.'
    })),
    status: Type.Optional(Type.Integer({
      minimum: 100, maximum: 599, description: 'Only entries with this status of the answer.'
    }))
  },
  {
    title: 'RedriveToStart',
    description: 'Which entries of the error stream are delivered again. Without members: all of the subscription.',
    examples: [{ from: 'first' }]
  }
)
