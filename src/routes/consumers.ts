import { Type, type FastifyPluginAsyncTypebox, type Static } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../http/api-app.ts'
import {
  BODY_PROBLEMS, BROKER_PROBLEMS, ConsumerParams, json, offset, Sources, storedNumber, storedNumberOrNull,
  StreamParams, strictObject
} from '../api/schemas.ts'
import { toTimePosition } from '../api/text-formats.ts'
import type { Position } from '../streams/index.ts'

const MAX_BODY_BYTES = 16 * 1024
const tags = ['Consumers']

const storedOffset = storedNumber('The offset of the last message processed.')
const nextOffset = storedNumber(
  'Where reading resumes: the stored offset + 1. After a 0 it is 0, unless this process was told within the last ' +
  'minute that message 0 is processed.'
)
const lagDescription =
  'Offsets from `nextOffset` to the last message: how many are still to be delivered, at most, because records of ' +
  'the broker take offsets too. 0 when nothing is.'

const ConsumerList = Type.Object(
  {
    consumers: Type.Array(
      Type.Object({
        name: Type.String(),
        storedOffset: storedNumberOrNull('The offset of the last message processed; null when nothing is stored.'),
        nextOffset: storedNumberOrNull('Where reading resumes.'),
        lag: storedNumberOrNull(lagDescription),
        subscriptions: Type.Array(
          Type.Object({
            active: Type.Boolean(),
            host: Type.String(),
            connectionName: Type.String(),
            offset: Type.Union([Type.Integer(), Type.Null()], { description: 'First offset of the last chunk sent.' }),
            offsetLag: Type.Union([Type.Integer(), Type.Null()])
          }),
          { description: 'Live subscriptions under this name, of any client.' }
        )
      })
    ),
    sources: Sources
  },
  { $id: 'ConsumerList' }
)

const ConsumerOffset = Type.Object(
  {
    storedOffset,
    nextOffset,
    firstOffset: offset('The first offset that is still there.'),
    lastOffset: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: 'The offset of the last message; null when there is none.'
    }),
    lag: storedNumber(lagDescription)
  },
  { $id: 'ConsumerOffset' }
)

const Stored = Type.Object({ storedOffset, nextOffset }, { $id: 'StoredOffset' })

const Commit = strictObject(
  {
    offset: offset('Offset of the last message processed.'),
    expected: Type.Optional(
      Type.Unsafe<number | null>({
        ...offset('Refuse with 412 unless this is stored now; null: unless nothing is.'),
        type: ['integer', 'null']
      })
    )
  },
  { examples: [{ offset: 0 }] }
)

const Reset = strictObject(
  {
    to: Type.Union(
      [
        Type.Union([Type.Literal('first'), Type.Literal('last'), Type.Literal('next')]),
        strictObject({ offset: offset('Any offset up to the next one.') }),
        strictObject({ timestamp: Type.String({ format: 'timestamp', examples: ['2026-01-31T12:00:00.000Z'] }) })
      ],
      {
        description:
          'The next message to be delivered: `first`, `last`, `next`, an offset, or the first one stored at or after ' +
          'a time in UTC like 2026-01-31T12:00:00.000Z.'
      }
    )
  },
  { examples: [{ to: 'first' }] }
)

/** Consumers and the offsets that the broker keeps for them. */
export const consumerRoutes: FastifyPluginAsyncTypebox = async (app) => {
  for (const schema of [ConsumerList, ConsumerOffset, Stored]) app.addSchema(schema)
  listConsumers(app)
  getStoredOffset(app)
  storeOffset(app)
  resetOffset(app)
}

function listConsumers (app: ApiApp): void {
  app.get(
    '/streams/:stream/consumers',
    {
      config: { problems: BROKER_PROBLEMS },
      schema: {
        operationId: 'listConsumers',
        tags,
        summary: 'List consumers',
        description: 'Every consumer known of the stream. `sources` says whether the list is whole.',
        params: StreamParams,
        response: {
          200: json('The consumers.', ConsumerList, {
            consumers: [{ name: 'my-app', storedOffset: 41, nextOffset: 42, lag: 0, subscriptions: [] }],
            sources: { management: 'ok', instance: 'ok' }
          })
        }
      }
    },
    async (request) => await app.broker.consumers.list(request.params.stream)
  )
}

function getStoredOffset (app: ApiApp): void {
  app.get(
    '/streams/:stream/consumers/:consumer/offset',
    {
      config: { problems: [...BROKER_PROBLEMS, 'consumer_offset_not_found'] },
      schema: {
        operationId: 'getStoredOffset',
        tags,
        summary: 'Get the stored offset',
        params: ConsumerParams,
        response: {
          200: json('The stored offset.', ConsumerOffset, {
            storedOffset: 41,
            nextOffset: 42,
            firstOffset: 0,
            lastOffset: 99,
            lag: 58
          })
        }
      }
    },
    async (request) => await app.broker.consumers.storedOffset(request.params.stream, request.params.consumer)
  )
}

function storeOffset (app: ApiApp): void {
  app.put(
    '/streams/:stream/consumers/:consumer/offset',
    {
      bodyLimit: MAX_BODY_BYTES,
      config: {
        problems: [...BROKER_PROBLEMS, ...BODY_PROBLEMS, 'offset_goes_back', 'offset_beyond_end', 'expectation_failed']
      },
      schema: {
        operationId: 'storeOffset',
        tags,
        summary: 'Commit an offset',
        description:
          'Says that everything up to and including this offset is processed. Answered when a majority of the ' +
          "stream's members has it: stored, then read back.",
        params: ConsumerParams,
        body: Commit,
        response: { 200: json('The offset is stored.', Stored, { storedOffset: 0, nextOffset: 1 }) }
      }
    },
    async (request) => {
      const { stream, consumer } = request.params
      return await app.broker.consumers.storeOffset(stream, consumer, request.body.offset, request.body.expected)
    }
  )
}

function resetOffset (app: ApiApp): void {
  app.post(
    '/streams/:stream/consumers/:consumer/offset/reset',
    {
      bodyLimit: MAX_BODY_BYTES,
      config: { problems: [...BROKER_PROBLEMS, ...BODY_PROBLEMS, 'offset_beyond_end'] },
      schema: {
        operationId: 'resetOffset',
        tags,
        summary: 'Reset a consumer',
        description:
          'Names the next message to be delivered, back or forward; for offset 1 it is message 0, because the broker ' +
          'keeps the same for both. Takes effect with the next read, on every instance, and with reads that wait: ' +
          'within five seconds (one case in which it does not is in docs/guarantees.md, Offset 0). A commit of what ' +
          'was read before would undo it, unless it says what it `expected`.',
        params: ConsumerParams,
        body: Reset,
        response: { 200: json('What is stored now.', Stored, { storedOffset: 0, nextOffset: 0 }) }
      }
    },
    async (request) => {
      const { stream, consumer } = request.params
      return await app.broker.consumers.resetOffset(stream, consumer, targetOf(request.body.to))
    }
  )
}

function targetOf (to: Static<typeof Reset>['to']): Position {
  if (typeof to === 'string') return { type: to }
  return 'offset' in to ? { type: 'offset', offset: to.offset } : toTimePosition(to.timestamp, '/to/timestamp')
}
