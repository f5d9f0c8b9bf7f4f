import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { invalidRequest } from '../../api/problems.ts'
import { BROKER_PROBLEMS, ConsumerParams, offset, strictObject } from '../../api/schemas.ts'
import { toStart } from '../../api/text-formats.ts'
import { StreamsError, type ConsumerBatch, type ReadFilter } from '../../streams/index.ts'
import { answerFormat, consumerBatchResponse, encodeAnswer, sendConsumerBatch } from './answer.ts'
import { FILTER_PATTERNS, filterQuery, searchOf } from './filter-query.ts'
import type { LiveFormat } from '../../live/live-format.ts'
import { sendLive } from './live.ts'
import { liveFormat, liveQuery, problemText, resumedAt, type LiveQuery } from './live-query.ts'
import { amountQuery, bodyQuery, readRequest, startOf, type ReadLimits } from './query.ts'

/** Where a live read starts, in place of where the consumer is. */
const liveStartQuery = {
  offset: Type.Optional(Type.String({
    format: 'position', description: 'Live reads: where to start in place of the stored offset.'
  })),
  timestamp: Type.Optional(Type.String({
    format: 'timestamp', description: 'Live reads: start at the first message stored at or after this time.'
  }))
}

const problems = [
  ...BROKER_PROBLEMS, 'overloaded', 'not_acceptable', 'offset_out_of_range', 'offset_goes_back', 'offset_beyond_end',
  'expectation_failed'
] as const

/** Reads that resume where a consumer left off. */
export const consumerMessageRoutes: FastifyPluginAsyncTypebox<{ limits: ReadLimits }> = async (app, { limits }) => {
  readAsConsumer(app, limits)
}

function readAsConsumer (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/streams/:stream/consumers/:consumer/messages',
    {
      // A HEAD request would commit messages that no client has seen.
      exposeHeadRoute: false,
      config: { problems, problemText },
      schema: {
        operationId: 'readAsConsumer',
        tags: ['Consumers'],
        summary: 'Read from the stored offset on',
        description:
          'For at least once, pass `commitOffset` of the answer as `commit` with the next read, when all messages ' +
          'are processed. Several programs that read under one name this way all get every message: to share work, ' +
          'split it over several streams, and give each worker a name of its own. For at most once, use ' +
          '`autoCommit=true`. A commit below the stored offset is refused with 409: another program has committed ' +
          'further; `storedOffset` says how far, and the same read without `commit` continues there.',
        params: ConsumerParams,
        querystring: consumerQuery(limits),
        response: { 200: consumerBatchResponse() }
      }
    },
    async (request, reply) => {
      const { params: { stream, consumer }, query } = request
      const live = liveFormat(request.headers.accept, query)
      const search = searchOf(query, async () => { await app.turn(Infinity) })
      if (live !== undefined) return await followAsConsumer(request, reply, live, search?.filter)
      const format = answerFormat(request.headers.accept)
      refuseStart(query, 'is for live reads only: a consumer reads on from its stored offset, and a reset moves it')
      const { commit, expected } = query
      if (expected !== undefined && commit === undefined) {
        throw invalidRequest([{ pointer: '/query/expected', message: 'needs commit' }])
      }
      const from = toStart(query.from, '/query/from')
      // By batch: when the consumer is moved while an answer is made, that batch is given up for another one.
      const prepared = new WeakMap<ConsumerBatch, readonly Buffer[]>()
      const prepare = async (batch: ConsumerBatch): Promise<void> => {
        prepared.set(batch, await encodeAnswer(reply, batch, format, query))
      }
      const autoStore = query.autoCommit ? { prepare } : undefined
      const read = { ...readRequest(from, query, search), store: commit, expected, autoStore }
      const { consumers } = brokerOf(request)
      const batch = await consumers.read(stream, consumer, read, clientSignal(reply)).catch((error) => {
        throw withReset(error)
      })
      return await sendConsumerBatch(reply, batch, format, query, prepared.get(batch))
    }
  )
}

interface ConsumerRequest {
  readonly params: { readonly stream: string, readonly consumer: string }
  readonly query: LiveQuery & {
    readonly from: string, readonly autoCommit: boolean, readonly offset?: string, readonly timestamp?: string
  }
}

function refuseStart (query: { offset?: string, timestamp?: string }, message: string): void {
  const given = (['offset', 'timestamp'] as const).filter((name) => query[name] !== undefined)
  if (given.length === 0) return
  throw invalidRequest(given.map((name) => ({ pointer: `/query/${name}`, message })))
}

async function followAsConsumer (
  request: FastifyRequest & ConsumerRequest, reply: FastifyReply, format: LiveFormat, filter: ReadFilter | undefined
): Promise<FastifyReply> {
  const { params: { stream, consumer }, query } = request
  const { consumers } = brokerOf(request)
  const from = toStart(query.from, '/query/from')
  const { autoCommit, singleActive } = query
  if (singleActive === true) {
    refuseStart(query, 'must not be given with singleActive: the active consumer begins after the stored offset')
    // It begins at the stored offset all the same. An id that is not valid still shows a mistake of the client.
    resumedAt(request, query)
    return await sendLive(reply, {
      format,
      query,
      filter,
      async open (listener) {
        const source = await consumers.followActive(stream, consumer, { from, autoCommit, filter }, listener)
        return { source, place: source, begin: () => { source.begin() } }
      }
    })
  }
  const hasStart = query.offset !== undefined || query.timestamp !== undefined
  const at = resumedAt(request, query) ?? (hasStart ? startOf(query) : undefined)
  const follow = { at, from, autoCommit, filter }
  return await sendLive(reply, {
    format,
    query,
    filter,
    open: async (listener, signal) =>
      await consumers.follow(stream, consumer, follow, listener, signal).catch((error) => { throw withReset(error) })
  })
}

// Such a read never works again by itself: the stored offset has to be set back.
function withReset (error: unknown): unknown {
  if (!(error instanceof StreamsError) || error.code !== 'offset_out_of_range') return error
  const message = `${error.message}. Set the consumer back with POST .../offset/reset, for example {"to": "next"}`
  const { retryable, sideEffects, details, cause } = error
  return Object.assign(new StreamsError(error.code, message, { retryable, sideEffects, cause }), { details })
}

function consumerQuery (limits: ReadLimits) {
  return strictObject({
    from: Type.String({
      format: 'start',
      default: 'first',
      description:
        'Where a consumer without a stored offset starts: `first`, `last`, `next`, an offset, or the first message ' +
        'stored at or after a time (RFC 3339). Unless it is `first`, the first read stores this place before it ' +
        'answers, as a reset to it would: later reads continue from there.'
    }),
    commit: Type.Optional(
      offset('`commitOffset` of the last answer, or the offset of the last message processed. It is stored first.')
    ),
    expected: Type.Optional(
      offset(
        'Needs `commit`: refuse with 412 unless this offset was stored before. A commit with it does not undo a reset.'
      )
    ),
    autoCommit: Type.Boolean({
      default: false,
      description:
        'Store that the messages of the answer are processed before they are sent. Each message comes at most once ' +
        'as long as one instance serves the consumer: its reads take turns there. Reads of one name on several ' +
        'instances at the same moment may get the same messages. When the store fails, the answer is an error, no ' +
        'message is sent, and the next read may continue after those messages.'
    }),
    singleActive: Type.Optional(Type.Boolean({
      description:
        'Live reads: be a member of RabbitMQ\'s group of single active consumers of that name, beside native ' +
        'clients. Messages come while this is the active one, which `active` and `inactive` events say.'
    })),
    ...liveStartQuery,
    ...amountQuery(limits),
    ...filterQuery,
    ...bodyQuery,
    ...liveQuery
  }, FILTER_PATTERNS)
}
