import { Type } from '@sinclair/typebox'
import type { Static } from '@sinclair/typebox'

// The sections around a body. Values of AMQP types are any JSON here: the mapping decides what they mean and which are
// refused (docs/messages.md). No schema has an `anyOf` of types, because a validator that coerces would use the first.

const JsonMap = (description: string, example: Record<string, unknown>) =>
  Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true, description, examples: [example] })

const Id = (description: string) => Type.Unsafe<unknown>({
  type: ['string', 'integer', 'object'],
  minimum: 0,
  maximum: Number.MAX_SAFE_INTEGER,
  description: `${description} A string, a whole number (an AMQP ulong), or a tagged value such as a uuid.`,
  examples: ['order-4711', { $type: 'uuid', value: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' }]
})

const Address = (description: string) =>
  Type.Unsafe<unknown>({ description: `${description} A string, or any AMQP value.`, examples: ['orders'] })

const Time = (description: string) => Type.String({
  description: `${description} RFC 3339; milliseconds since 1970, as a string, where the year does not have four ` +
    'digits.',
  examples: ['2025-01-31T12:00:00.000Z']
})

export const MessageProperties = Type.Object(
  {
    messageId: Type.Optional(Id('Identifies this message among the messages of its sender.')),
    userId: Type.Optional(
      Type.Unsafe<unknown>({
        type: ['string', 'object'],
        description: 'The user that the message was made for. A string, or a tagged binary when it is not UTF-8.',
        examples: ['alice']
      })
    ),
    to: Type.Optional(Address('Where the message is meant to go.')),
    subject: Type.Optional(Type.String({ description: 'What the message is about.', examples: ['order.created'] })),
    replyTo: Type.Optional(Address('Where an answer goes.')),
    correlationId: Type.Optional(Id('The message this one belongs to.')),
    contentType: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        description: 'The media type of the body. Left out on write, it follows from `bodyEncoding`; null stores none.',
        examples: ['application/json']
      })
    ),
    contentEncoding: Type.Optional(
      Type.String({
        description: 'Such as `gzip`. Bodies are stored and returned as they are, never unpacked.',
        examples: ['gzip']
      })
    ),
    absoluteExpiryTime: Type.Optional(Time('When the message is no longer of use. A stream keeps it anyway.')),
    creationTime: Type.Optional(Time('When the message was made.')),
    groupId: Type.Optional(Type.String({
      description: 'The group that the message belongs to.',
      examples: ['batch-7']
    })),
    groupSequence: Type.Optional(
      Type.Integer({ minimum: 0, maximum: 0xffff_ffff, description: 'Its number in the group.', examples: [1] })
    ),
    replyToGroupId: Type.Optional(
      Type.String({ description: 'The group that answers belong to.', examples: ['batch-8'] })
    )
  },
  {
    title: 'MessageProperties',
    additionalProperties: false,
    description: 'The AMQP 1.0 properties of the message.',
    examples: [{ messageId: 'order-4711', contentType: 'application/json' }]
  }
)

export const MessageHeader = Type.Object(
  {
    durable: Type.Optional(Type.Boolean({
      description: 'Whether the sender asked for a durable message. A stream keeps every message.',
      examples: [true]
    })),
    priority: Type.Optional(Type.Integer({
      minimum: 0, maximum: 0xff, description: 'The priority. A stream takes no notice of it.', examples: [9]
    })),
    ttlMs: Type.Optional(Type.Integer({
      minimum: 0,
      maximum: 0xffff_ffff,
      description: 'For how long the message is of use, ms. A stream keeps it anyway.',
      examples: [60_000]
    })),
    firstAcquirer: Type.Optional(Type.Boolean({ description: 'Whether no other receiver has had the message.' })),
    deliveryCount: Type.Optional(Type.Integer({
      minimum: 0, maximum: 0xffff_ffff, description: 'How many deliveries have failed before.', examples: [0]
    }))
  },
  {
    title: 'MessageHeader',
    additionalProperties: false,
    description: 'The AMQP 1.0 header of the message.',
    examples: [{ durable: true, priority: 9 }]
  }
)

export const ApplicationProperties = JsonMap(
  'Named values of the application: simple values, with their AMQP types (see docs/messages.md).',
  { tenant: 'acme', attempt: 1 }
)
export const MessageAnnotations = JsonMap(
  'Named values for the infrastructure, with their AMQP types; keys are symbols.',
  { 'x-trace': 'a1b2' }
)
export const DeliveryAnnotations = JsonMap('Named values for the next hop, with their AMQP types; keys are symbols.', {
  'x-hop': 'edge'
})
export const Footer = JsonMap('Named values that follow the body, such as a checksum; keys are symbols.', {
  'x-sum': 'c0ffee'
})

export type MessageHeaderJson = Static<typeof MessageHeader>
export type MessagePropertiesJson = Static<typeof MessageProperties>
