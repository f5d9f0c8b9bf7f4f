import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { BROKER_PROBLEMS, json, offset, StreamParams, strictObject } from '../../api/schemas.ts'
import {
  ANY_TYPE, BatchSchema, ConsumerBatchSchema, EXAMPLE_MESSAGE, LINES_TYPE, MessageRead
} from '../../messages/index.ts'
import { BufferPool } from '../../text/buffer-pool.ts'
import {
  answerFormat, batchResponse, LINK_HEADER, READ_HEADERS, sendBatch, sendLines, sendMessage, sendRaw, setNextLink
} from './answer.ts'
import { FILTER_PATTERNS, filterQuery, searchOf } from './filter-query.ts'
import { sendLive } from './live.ts'
import { liveFormat, liveQuery, problemText, resumedAt } from './live-query.ts'
import { amountQuery, bodyQuery, readRequest, startOf, startQuery, type ReadLimits } from './query.ts'

const MessageParams = strictObject({
  ...StreamParams.properties,
  offset: offset('Offset of the message.', { examples: [0] })
})
const BYTES = Type.Unsafe<unknown>({ type: 'string', format: 'binary' })
const tags = ['Read']
const problems = [...BROKER_PROBLEMS, 'overloaded'] as const
// Buffers for answers in lines of the usual size that are under way at the same time.
const POOLED_ANSWERS = 8
const MAX_POOLED_BYTES = 2 * 1024 * 1024

/** Reads: batches, lines, single messages. */
export const messageRoutes: FastifyPluginAsyncTypebox<{ limits: ReadLimits }> = async (app, { limits }) => {
  for (const schema of [MessageRead, BatchSchema, ConsumerBatchSchema]) app.addSchema(schema)
  readMessages(app, limits)
  readLines(app, limits)
  readMessage(app)
  readRaw(app)
}

function readMessages (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/streams/:stream/messages',
    {
      config: { problems: [...problems, 'not_acceptable', 'offset_out_of_range'], problemText },
      schema: {
        operationId: 'readMessages',
        tags,
        summary: 'Read messages',
        description:
          'Reads from any offset; the next read starts at `nextOffset`. With `wait`, an answer at the end of the ' +
          'stream is held until there is a message.',
        params: StreamParams,
        querystring: strictObject(
          { ...startQuery, ...amountQuery(limits), ...filterQuery, ...bodyQuery, ...liveQuery }, FILTER_PATTERNS
        ),
        response: { 200: batchResponse({ ...READ_HEADERS, ...LINK_HEADER }) }
      }
    },
    async (request, reply) => {
      const { params: { stream }, query } = request
      const { reading } = brokerOf(request)
      const search = searchOf(query, async () => { await app.turn(Infinity) })
      const live = liveFormat(request.headers.accept, query)
      if (live !== undefined) {
        const filter = search?.filter
        const from = resumedAt(request, query) ?? startOf(query)
        return await sendLive(reply, {
          format: live,
          query,
          filter,
          open: async (listener, signal) => ({ source: await reading.follow(stream, from, filter, listener, signal) })
        })
      }
      const format = answerFormat(request.headers.accept)
      const batch = await reading.read(stream, readRequest(startOf(query), query, search), clientSignal(reply))
      return await sendBatch(reply, batch, format, query, () => setNextLink(reply, batch.nextOffset))
    }
  )
}

function readLines (app: ApiApp, limits: ReadLimits): void {
  const pool = new BufferPool(POOLED_ANSWERS, MAX_POOLED_BYTES)
  app.get(
    '/streams/:stream/messages/lines',
    {
      config: { problems: [...problems, 'offset_out_of_range', 'body_not_a_line'] },
      schema: {
        operationId: 'readLines',
        tags,
        summary: 'Read bodies as lines',
        description: 'Returns bodies byte for byte, each followed by LF. The batch ends before a body that contains ' +
          'LF, unless it is JSON of at most 1 MiB, whose line breaks become spaces.',
        params: StreamParams,
        querystring: strictObject({ ...startQuery, ...amountQuery(limits), ...filterQuery }, FILTER_PATTERNS),
        response: {
          200: {
            description: 'Bodies, one a line. The next read continues at `stream-next-offset`.',
            headers: { ...READ_HEADERS, ...LINK_HEADER },
            content: { [LINES_TYPE]: { schema: Type.String(), example: 'first\nsecond\n' } }
          }
        }
      }
    },
    async (request, reply) => {
      const { params: { stream }, query } = request
      const { reading } = brokerOf(request)
      const read = readRequest(startOf(query), query, searchOf(query, async () => { await app.turn(Infinity) }))
      const batch = await reading.read(stream, read, clientSignal(reply))
      return await sendLines(reply, batch, pool, (nextOffset) => setNextLink(reply, nextOffset))
    }
  )
}

function readMessage (app: ApiApp): void {
  app.get(
    '/streams/:stream/messages/:offset',
    {
      config: { problems: [...problems, 'message_not_found'] },
      schema: {
        operationId: 'readMessage',
        tags,
        summary: 'Read one message',
        description:
          'Returns the message at this offset. Records of the broker take offsets too, and are not messages.',
        params: MessageParams,
        querystring: strictObject(bodyQuery),
        response: { 200: json('The message.', MessageRead, EXAMPLE_MESSAGE) }
      }
    },
    async (request, reply) => {
      const { stream, offset } = request.params
      const { reading } = brokerOf(request)
      const { message, batch } = await reading.readMessage(stream, offset, clientSignal(reply))
      return await sendMessage(reply, message, batch, request.query.body)
    }
  )
}

function readRaw (app: ApiApp): void {
  app.get(
    '/streams/:stream/messages/:offset/raw',
    {
      config: { problems: [...problems, 'message_not_found'] },
      schema: {
        operationId: 'readRaw',
        tags,
        summary: 'Read the body of one message',
        description: 'Returns the body byte for byte, with its content type. A browser saves what it could run.',
        params: MessageParams,
        response: {
          200: {
            description: 'The body.',
            headers: {
              'content-disposition': { type: 'string', description: '`attachment` for what a browser could run.' },
              'app-property-traceparent': {
                type: 'string', description: 'The trace context of the message, when it has a valid one.'
              },
              'app-property-tracestate': { type: 'string', description: 'What belongs to it, when there is any.' }
            },
            content: { [ANY_TYPE]: { schema: BYTES } }
          }
        }
      }
    },
    async (request, reply) => {
      const { stream, offset } = request.params
      const { reading } = brokerOf(request)
      const { message, batch } = await reading.readMessage(stream, offset, clientSignal(reply))
      return await sendRaw(reply, message, batch)
    }
  )
}
