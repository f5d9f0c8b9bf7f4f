import { Type } from '@sinclair/typebox'
import type { Static, TSchema } from '@sinclair/typebox'
import { byName } from '../api/by-name.ts'
import {
  ApplicationProperties, DeliveryAnnotations, Footer, MessageAnnotations, MessageHeader, MessageProperties
} from './section-schemas.ts'

const MAX_SAFE = Number.MAX_SAFE_INTEGER

const Body = Type.Unknown({
  description: 'The body, spelled as `bodyEncoding` says.',
  examples: [{ order: 4711 }, 'plain text', 'AAEC']
})

const BodyEncoding = Type.Unsafe<'json' | 'text' | 'base64'>({
  type: 'string',
  enum: ['json', 'text', 'base64'],
  title: 'BodyEncoding',
  description: '`json`: the JSON text of `body` is the body; a message without `bodyEncoding` is written so. `text`: ' +
    'the string in UTF-8. `base64`: the bytes.'
})

const BodyType = Type.Unsafe<'data' | 'value' | 'sequence'>({
  type: 'string',
  enum: ['data', 'value', 'sequence'],
  description:
    '`data` (default): bytes. `value`, `sequence`: an AMQP value, or AMQP sequences, written as JSON with their types.'
})

const ignored = (schema: TSchema) =>
  Type.Optional(
    Type.Unsafe<unknown>({
      ...schema,
      description: 'As in the answer to a read. It is ignored, so that a message that was read can be posted again.'
    })
  )

/** A message in a publish request. The schema checks the shape, `parseMessage` the rest. */
export const MessageWrite = Type.Object(
  {
    body: Body,
    bodyEncoding: Type.Optional(BodyEncoding),
    bodyType: Type.Optional(BodyType),
    header: Type.Optional(MessageHeader),
    properties: Type.Optional(MessageProperties),
    applicationProperties: Type.Optional(ApplicationProperties),
    messageAnnotations: Type.Optional(MessageAnnotations),
    deliveryAnnotations: Type.Optional(DeliveryAnnotations),
    footer: Type.Optional(Footer),
    publishingId: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: MAX_SAFE,
        description: 'The number of the message, for deduplication: ascending, and on every message under a ' +
          'publisher name. Without a publisher name no message has it.',
        examples: [42]
      })
    ),
    filterValue: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'What the broker notes of the message for its chunk, so that readers can ask for it ' +
          '(`filterValue=`): 1 to 255 bytes of UTF-8. It is stored as the message annotation ' +
          '`x-stream-filter-value`.',
        examples: ['emea']
      })
    ),
    routingKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'To a super stream only: what chooses the partition of the message, 1 to 255 bytes of UTF-8. It ' +
          'is not stored.',
        examples: ['customer-42']
      })
    ),
    offset: ignored({ ...Type.Integer(), minimum: 0, maximum: MAX_SAFE }),
    timestamp: ignored(Type.String()),
    partition: ignored(Type.String()),
    format: ignored(Type.String()),
    records: ignored(Type.Integer()),
    compression: ignored(Type.String()),
    reason: ignored(Type.String())
  },
  {
    $id: 'MessageWrite',
    additionalProperties: false,
    description: 'A message to publish.',
    examples: [
      { body: { order: 4711 }, properties: { messageId: 'order-4711' }, applicationProperties: { tenant: 'acme' } }
    ]
  }
)

/** A message in the answer to a read. */
export const MessageRead = Type.Object(
  {
    offset: Type.Integer({
      minimum: 0,
      maximum: MAX_SAFE,
      description: 'The position in the stream.',
      examples: [1024]
    }),
    timestamp: Type.String({
      format: 'date-time',
      description: 'When the broker stored the chunk of the message: ISO 8601, UTC.',
      examples: ['2025-01-31T12:00:00.000Z']
    }),
    body: Body,
    bodyEncoding: BodyEncoding,
    bodyType: Type.Optional(
      Type.Unsafe<'value' | 'sequence'>({
        type: 'string',
        enum: ['value', 'sequence'],
        description:
          'Only when the body is not bytes: an AMQP value, or AMQP sequences (an array of arrays), as JSON with ' +
          'their types.'
      })
    ),
    header: Type.Optional(MessageHeader),
    properties: Type.Optional(MessageProperties),
    applicationProperties: Type.Optional(ApplicationProperties),
    messageAnnotations: Type.Optional(MessageAnnotations),
    deliveryAnnotations: Type.Optional(DeliveryAnnotations),
    footer: Type.Optional(Footer),
    format: Type.Optional(
      Type.Unsafe<'unknown' | 'undecoded' | 'unreadable'>({
        type: 'string',
        enum: ['unknown', 'undecoded', 'unreadable'],
        description:
          '`unknown`: not AMQP 1.0; `body` is the whole entry. `undecoded`: an AMQP message with too many values; ' +
          '`body` is the whole entry. `unreadable`: a sub-entry batch that cannot be expanded; `body` is the whole ' +
          'batch.'
      })
    ),
    records: Type.Optional(
      Type.Integer({
        minimum: 0,
        description: 'With `unreadable`: the number of messages in the batch, from `offset` on.'
      })
    ),
    compression: Type.Optional(
      Type.String({ description: 'With `unreadable`: how the batch is compressed.', examples: ['zstd'] })
    ),
    reason: Type.Optional(Type.String({ description: 'With `undecoded` and `unreadable`: why.' }))
  },
  {
    $id: 'MessageRead',
    additionalProperties: false,
    description: 'A message as read. It can be posted again unchanged.',
    examples: [
      {
        offset: 1024,
        timestamp: '2025-01-31T12:00:00.000Z',
        body: { order: 4711 },
        bodyEncoding: 'json',
        properties: { contentType: 'application/json' }
      }
    ]
  }
)

const Offset = (description: string) => Type.Integer({ minimum: 0, maximum: MAX_SAFE, description })

/** The answer to a read. */
export const BatchSchema = Type.Object(
  {
    messages: Type.Array(byName(MessageRead)),
    nextOffset: Offset(
      'Where the next read continues, without missing a message. Not always the last offset + 1, because records of ' +
      'the broker take offsets too.'
    ),
    endOfStream: Type.Boolean({ description: 'No readable message was left when the answer was made.' }),
    gap: Type.Optional(
      Type.Object(
        { from: Offset('First missing offset.'), to: Offset('Last missing offset.') },
        { title: 'Gap', description: 'The offsets that retention removed between the wanted and the delivered one.' }
      )
    )
  },
  { $id: 'Batch', description: 'Messages, and where the next read continues.' }
)

/* eslint-disable @typescript-eslint/no-redeclare --
   a schema and the type of what fits it have one name; tsc finds the rest */
export type MessageWrite = Static<typeof MessageWrite>
export type MessageRead = Static<typeof MessageRead>
