import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { strictObject, SUPER_STREAM_PROBLEMS, SuperStreamConsumerParams } from '../../api/schemas.ts'
import { toStart } from '../../api/text-formats.ts'
import type { LiveFormat } from '../../live/live-format.ts'
import type { MergedBatch, ReadFilter } from '../../streams/index.ts'
import { answerFormat, mergedBatchResponse } from './answer.ts'
import { FILTER_PATTERNS, filterQuery, searchOf } from './filter-query.ts'
import { sendMergedLive, type OpenMerged } from './live.ts'
import { liveFormat, liveQuery, problemText, type LiveQuery } from './live-query.ts'
import { encodeMerged, MERGED_HEADERS, sendMerged } from './merged-answer.ts'
import { mergedResumedAt, partitionNames, partitionsQuery } from './merged-query.ts'
import { amountQuery, bodyQuery, type ReadLimits } from './query.ts'

const problems = [
  ...SUPER_STREAM_PROBLEMS, 'stream_not_found', 'overloaded', 'not_acceptable', 'cursor_invalid',
  'offset_out_of_range', 'offset_goes_back', 'offset_beyond_end', 'expectation_failed'
] as const

/** Reads of super streams that resume where a consumer left off. */
export const mergedConsumerMessageRoutes: FastifyPluginAsyncTypebox<{ limits: ReadLimits }> = async (
  app, { limits }
) => {
  readSuperStreamAsConsumer(app, limits)
}

function readSuperStreamAsConsumer (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/super-streams/:superStream/consumers/:consumer/messages',
    {
      // A HEAD request would commit messages that no client has seen.
      exposeHeadRoute: false,
      config: { problems, problemText },
      schema: {
        operationId: 'readSuperStreamAsConsumer',
        tags: ['Super streams'],
        summary: 'Read all partitions from the stored offsets on',
        description:
          'For at least once, pass `nextCursor` of the answer as `commit` with the next read, when all its messages ' +
          'are processed. For at most once, use `autoCommit=true`. Several programs that read under one name get ' +
          'every message: to share the work, give each its `partitions`. A commit that would go back in any ' +
          'partition is refused with 409: `partition` and `storedOffset` say where, and nothing is stored.',
        params: SuperStreamConsumerParams,
        querystring: consumerQuery(limits),
        response: { 200: mergedBatchResponse(MERGED_HEADERS) }
      }
    },
    async (request, reply) => {
      const { params: { superStream, consumer }, query } = request
      const search = searchOf(query, async () => { await app.turn(Infinity) })
      const live = liveFormat(request.headers.accept, query)
      if (live !== undefined) return await followAsConsumer(request, reply, live, search?.filter)
      const format = answerFormat(request.headers.accept)
      const { commit, limit, maxBytes, wait, autoCommit } = query
      // By batch: when the consumer is moved while an answer is made, that batch is given up for another one.
      const prepared = new WeakMap<MergedBatch, readonly Buffer[]>()
      const prepare = async (batch: MergedBatch): Promise<void> => {
        prepared.set(batch, await encodeMerged(reply, batch, format, query))
      }
      const read = {
        from: toStart(query.from, '/query/from'),
        partitions: partitionNames(query),
        limit,
        maxBytes,
        waitMs: wait * 1000,
        search,
        commit,
        ...(autoCommit && { prepare })
      }
      const { consumers } = brokerOf(request).merged
      const batch = await consumers.read(superStream, consumer, read, partitionCheck(request), clientSignal(reply))
      return await sendMerged(reply, batch, format, query, { encoded: prepared.get(batch) })
    }
  )
}

interface ConsumerRequest {
  readonly params: { readonly superStream: string, readonly consumer: string }
  readonly query: LiveQuery & { readonly from: string, readonly autoCommit: boolean, readonly partitions?: string }
}

async function followAsConsumer (
  request: FastifyRequest & ConsumerRequest, reply: FastifyReply, format: LiveFormat, filter: ReadFilter | undefined
): Promise<FastifyReply> {
  const { params: { superStream, consumer }, query } = request
  const { consumers } = brokerOf(request).merged
  const singleActive = query.singleActive === true
  const follow = {
    consumer,
    at: singleActive ? undefined : mergedResumedAt(request, query),
    from: toStart(query.from, '/query/from'),
    partitions: partitionNames(query),
    filter,
    autoCommit: query.autoCommit,
    singleActive
  }
  const check = partitionCheck(request)
  const open: OpenMerged = async (listener, signal) =>
    await consumers.follow(superStream, follow, check, listener, signal)
  return await sendMergedLive(reply, { format, query, filter, open }, true)
}

function consumerQuery (limits: ReadLimits) {
  return strictObject({
    from: Type.String({
      format: 'start',
      default: 'first',
      description:
        'Where the consumer starts in a partition without a stored offset: `first`, `last`, `next`, an offset, or ' +
        'the first message stored at or after a time (RFC 3339). Unless it is `first`, the first read stores this ' +
        'place before it answers.'
    }),
    commit: Type.Optional(Type.String({
      description: '`nextCursor` of the last answer, when all its messages are processed. It is stored first, in the ' +
        'partitions that are read.'
    })),
    autoCommit: Type.Boolean({
      default: false,
      description:
        'Store that the messages of the answer are processed before they are sent. Each message comes at most once ' +
        'as long as one instance serves the consumer: its reads take turns there. When a store fails, the answer is ' +
        'an error, no message is sent, and the next read may continue after those messages.'
    }),
    singleActive: Type.Optional(Type.Boolean({
      description:
        'Live reads: be a member of RabbitMQ\'s group of single active consumers of that name in each partition, ' +
        'beside native clients. The partitions are spread over the members. Messages come of those for which this is ' +
        'the active one, which `active` and `inactive` events say.'
    })),
    ...partitionsQuery,
    ...amountQuery(limits),
    ...filterQuery,
    ...bodyQuery,
    ...liveQuery
  }, FILTER_PATTERNS)
}
