import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { strictObject, SUPER_STREAM_PROBLEMS, SuperStreamParams } from '../../api/schemas.ts'
import { LINES_TYPE, MergedBatchSchema, PartitionMessage } from '../../messages/index.ts'
import { BufferPool } from '../../text/buffer-pool.ts'
import { answerFormat, LINK_HEADER, mergedBatchResponse, setNextLink } from './answer.ts'
import { FILTER_PATTERNS, filterQuery, searchOf } from './filter-query.ts'
import { sendMergedLive, type OpenMerged } from './live.ts'
import { liveFormat, liveQuery, problemText } from './live-query.ts'
import { MERGED_HEADERS, sendMerged, sendMergedLines } from './merged-answer.ts'
import { mergedRequest, mergedResumedAt, mergedStartQuery, partitionsQuery } from './merged-query.ts'
import { amountQuery, bodyQuery, type ReadLimits } from './query.ts'

const problems = [
  ...SUPER_STREAM_PROBLEMS, 'stream_not_found', 'overloaded', 'not_acceptable', 'offset_out_of_range', 'cursor_invalid'
] as const

// Buffers for answers in lines of the usual size that are under way at the same time.
const POOLED_ANSWERS = 8
const MAX_POOLED_BYTES = 2 * 1024 * 1024

/** Reads of super streams. */
export const mergedMessageRoutes: FastifyPluginAsyncTypebox<{ limits: ReadLimits }> = async (app, { limits }) => {
  for (const schema of [PartitionMessage, MergedBatchSchema]) app.addSchema(schema)
  readSuperStream(app, limits)
  readSuperStreamLines(app, limits)
}

function readSuperStream (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/super-streams/:superStream/messages',
    {
      config: { problems, problemText },
      schema: {
        operationId: 'readSuperStream',
        tags: ['Super streams'],
        summary: 'Read messages of all partitions',
        description:
          'Reads all partitions as one; the next read continues at `nextCursor`. Messages of a partition come in ' +
          'their order; across partitions the older ones of those that are there come first, which is not a total ' +
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
      const read = mergedRequest(query, search)
      const { reading } = brokerOf(request).merged
      const check = partitionCheck(request)
      const live = liveFormat(request.headers.accept, query)
      if (live !== undefined) {
        const filter = search?.filter
        const follow = { from: mergedResumedAt(request, query) ?? read.from, filter, partitions: read.partitions }
        const open: OpenMerged = async (listener, signal) =>
          await reading.follow(superStream, follow, check, listener, signal)
        return await sendMergedLive(reply, { format: live, query, filter, open }, false)
      }
      const format = answerFormat(request.headers.accept)
      const batch = await reading.read(superStream, read, check, clientSignal(reply))
      const setLink = (): void => { setNextLink(reply, batch.nextCursor, 'cursor') }
      return await sendMerged(reply, batch, format, query, { setLink })
    }
  )
}

function readSuperStreamLines (app: ApiApp, limits: ReadLimits): void {
  const pool = new BufferPool(POOLED_ANSWERS, MAX_POOLED_BYTES)
  app.get(
    '/super-streams/:superStream/messages/lines',
    {
      config: {
        problems: [...problems.filter((code) => code !== 'not_acceptable'), 'body_not_a_line']
      },
      schema: {
        operationId: 'readSuperStreamLines',
        tags: ['Super streams'],
        summary: 'Read bodies of all partitions as lines',
        description:
          'Returns bodies byte for byte, each followed by LF, in the order of `readSuperStream`. The batch ends ' +
          'before a body that contains LF, unless it is JSON of at most 1 MiB, whose line breaks become spaces.',
        params: SuperStreamParams,
        querystring: strictObject(
          { ...mergedStartQuery, ...partitionsQuery, ...amountQuery(limits), ...filterQuery }, FILTER_PATTERNS
        ),
        response: {
          200: {
            description: 'Bodies, one a line. The next read continues at `stream-next-cursor`.',
            headers: { ...MERGED_HEADERS, ...LINK_HEADER },
            content: { [LINES_TYPE]: { schema: Type.String(), example: 'first\nsecond\n' } }
          }
        }
      }
    },
    async (request, reply) => {
      const { params: { superStream }, query } = request
      const read = mergedRequest(query, searchOf(query, async () => { await app.turn(Infinity) }))
      const { reading } = brokerOf(request).merged
      const batch = await reading.read(superStream, read, partitionCheck(request), clientSignal(reply))
      const setLink = (): void => { setNextLink(reply, batch.nextCursor, 'cursor') }
      return await sendMergedLines(reply, batch, pool, setLink)
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
