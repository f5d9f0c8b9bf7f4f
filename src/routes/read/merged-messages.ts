import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { strictObject, SUPER_STREAM_PROBLEMS, SuperStreamParams } from '../../api/schemas.ts'
import { MergedBatchSchema, PartitionMessage } from '../../messages/index.ts'
import { answerFormat, LINK_HEADER, mergedBatchResponse, setNextLink } from './answer.ts'
import { FILTER_PATTERNS, filterQuery, searchOf } from './filter-query.ts'
import { sendMergedLive, type OpenMerged } from './live.ts'
import { liveFormat, liveQuery } from './live-query.ts'
import { MERGED_HEADERS, sendMerged } from './merged-answer.ts'
import { mergedResumedAt, mergedStartOf, mergedStartQuery, partitionNames, partitionsQuery } from './merged-query.ts'
import { amountQuery, bodyQuery, type ReadLimits } from './query.ts'

const problems = [
  ...SUPER_STREAM_PROBLEMS, 'stream_not_found', 'overloaded', 'not_acceptable', 'offset_out_of_range', 'cursor_invalid'
] as const

/** Reads of super streams. */
export const mergedMessageRoutes: FastifyPluginAsyncTypebox<{ limits: ReadLimits }> = async (app, { limits }) => {
  for (const schema of [PartitionMessage, MergedBatchSchema]) app.addSchema(schema)
  readSuperStream(app, limits)
}

function readSuperStream (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/super-streams/:superStream/messages',
    {
      config: { problems },
      schema: {
        operationId: 'readSuperStream',
        tags: ['Super streams'],
        summary: 'Read messages of all partitions',
        description:
          'Reads all partitions as one; the next read continues at `nextCursor`. Messages of a partition come in ' +
          'their order; across partitions the older ones of those that are there come first, which is no total ' +
          'order. No partition is waited for while another one has messages, and each gets its share of an answer. ' +
          'With `wait`, an answer is held until any partition has a message.',
        params: SuperStreamParams,
        querystring: superStreamQuery(limits),
        response: { 200: mergedBatchResponse({ ...MERGED_HEADERS, ...LINK_HEADER }) }
      }
    },
    async (request, reply) => {
      const { params: { superStream }, query } = request
      const search = searchOf(query, async () => { await app.turn(Infinity) })
      const partitions = partitionNames(query)
      const { reading } = brokerOf(request).merged
      const check = partitionCheck(request)
      const live = liveFormat(request.headers.accept, query)
      if (live !== undefined) {
        const filter = search?.filter
        const follow = { from: mergedResumedAt(request, query) ?? mergedStartOf(query), filter, partitions }
        const open: OpenMerged = async (listener, signal) =>
          await reading.follow(superStream, follow, check, listener, signal)
        return await sendMergedLive(reply, { format: live, query, filter, open }, false)
      }
      const format = answerFormat(request.headers.accept)
      const { limit, maxBytes, wait } = query
      const read = { from: mergedStartOf(query), partitions, limit, maxBytes, waitMs: wait * 1000, search }
      const batch = await reading.read(superStream, read, check, clientSignal(reply))
      const setLink = (): void => { setNextLink(reply, batch.nextCursor, 'cursor') }
      return await sendMerged(reply, batch, format, query, { setLink })
    }
  )
}

function superStreamQuery (limits: ReadLimits) {
  return strictObject({
    ...mergedStartQuery,
    ...partitionsQuery,
    ...amountQuery(limits),
    ...filterQuery,
    ...bodyQuery,
    ...liveQuery
  }, FILTER_PATTERNS)
}
