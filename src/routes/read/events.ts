import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { negotiate } from '../../http/accept.ts'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { partitionCheck } from '../../http/partition-check.ts'
import { clientSignal, whenClosed } from '../../http/request-scope.ts'
import { byName } from '../../api/by-name.ts'
import { RequestError } from '../../api/problems.ts'
import {
  BROKER_PROBLEMS, strictObject, StreamParams, SUPER_STREAM_PROBLEMS, SuperStreamParams
} from '../../api/schemas.ts'
import { CloudEvents, eventBatchSlices, EVENTS_FRAME, EVENTS_TYPE, EXAMPLE_EVENT } from '../../messages/index.ts'
import type { MergedBatch, ReadBatch } from '../../streams/index.ts'
import { LINK_HEADER, paceOf, READ_HEADERS, sendBlocks, setNextLink, setReadHeaders } from './answer.ts'
import { encodeBatch } from './encode.ts'
import { FILTER_PATTERNS, filterQuery, searchOf } from './filter-query.ts'
import { endOf, MERGED_HEADERS, setMergedHeaders } from './merged-answer.ts'
import { mergedRequest, mergedStartQuery, partitionsQuery } from './merged-query.ts'
import { amountQuery, readRequest, startOf, startQuery, type ReadLimits } from './query.ts'

/** Reads of events. */
export const eventRoutes: FastifyPluginAsyncTypebox<{ limits: ReadLimits }> = async (app, { limits }) => {
  app.addSchema(CloudEvents)
  readEvents(app, limits)
  readSuperStreamEvents(app, limits)
}

const STAND_IN =
  'A message that is no event is given as one of type `rabbitmq.stream.message`, whose `id` is its offset and whose ' +
  '`data` is its body.'

function readEvents (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/streams/:stream/events',
    {
      config: { problems: [...BROKER_PROBLEMS, 'overloaded', 'not_acceptable', 'offset_out_of_range'] },
      schema: {
        operationId: 'readEvents',
        tags: ['Read'],
        summary: 'Read messages as CloudEvents',
        description:
          'Answers with a batch of CloudEvents 1.0. The next read continues at `stream-next-offset`, which `link` ' +
          `has too. ${STAND_IN}`,
        params: StreamParams,
        querystring: strictObject({ ...startQuery, ...amountQuery(limits), ...filterQuery }, FILTER_PATTERNS),
        response: { 200: eventsResponse({ ...READ_HEADERS, ...LINK_HEADER }) }
      }
    },
    async (request, reply) => {
      const { params: { stream }, query, headers } = request
      refuseOtherTypes(headers.accept)
      const { reading } = brokerOf(request)
      const read = readRequest(startOf(query), query, searchOf(query, async () => { await app.turn(Infinity) }))
      const batch = await reading.read(stream, read, clientSignal(reply))
      const source = `/streams/${encodeURIComponent(stream)}`
      const blocks = await encodeEvents(reply, batch, query.maxBytes, () => source)
      // Only now: a batch may end earlier than it was read.
      setReadHeaders(reply, batch)
      setNextLink(reply, batch.nextOffset)
      return await sendBlocks(reply.type(EVENTS_TYPE), blocks)
    }
  )
}

function readSuperStreamEvents (app: ApiApp, limits: ReadLimits): void {
  app.get(
    '/super-streams/:superStream/events',
    {
      config: {
        problems: [
          ...SUPER_STREAM_PROBLEMS, 'stream_not_found', 'overloaded', 'not_acceptable', 'offset_out_of_range',
          'cursor_invalid'
        ]
      },
      schema: {
        operationId: 'readSuperStreamEvents',
        tags: ['Super streams'],
        summary: 'Read messages of all partitions as CloudEvents',
        description:
          'Answers with a batch of CloudEvents 1.0, in the order of `readSuperStream`. The next read continues at ' +
          `\`stream-next-cursor\`, which \`link\` has too. ${STAND_IN} Its \`source\` is the partition.`,
        params: SuperStreamParams,
        querystring: strictObject(
          { ...mergedStartQuery, ...partitionsQuery, ...amountQuery(limits), ...filterQuery }, FILTER_PATTERNS
        ),
        response: { 200: eventsResponse({ ...MERGED_HEADERS, ...LINK_HEADER }) }
      }
    },
    async (request, reply) => {
      const { params: { superStream }, query, headers } = request
      refuseOtherTypes(headers.accept)
      const read = mergedRequest(query, searchOf(query, async () => { await app.turn(Infinity) }))
      const { reading } = brokerOf(request).merged
      const batch = await reading.read(superStream, read, partitionCheck(request), clientSignal(reply))
      const blocks = await encodeEvents(reply, batch, query.maxBytes, (piece) =>
        `/streams/${encodeURIComponent(batch.partitionOf(piece))}`)
      setMergedHeaders(reply, endOf(batch))
      setNextLink(reply, batch.nextCursor, 'cursor')
      return await sendBlocks(reply.type(EVENTS_TYPE), blocks)
    }
  )
}

async function encodeEvents (
  reply: FastifyReply, batch: ReadBatch | MergedBatch, maxBytes: number, sourceOf: (piece: number) => string
): Promise<readonly Buffer[]> {
  whenClosed(reply, () => { batch.release() })
  const text = {
    frame: EVENTS_FRAME,
    slicesOf: (pieces: ReadBatch['pieces']) => eventBatchSlices(pieces, sourceOf)
  }
  return await encodeBatch(batch, text, maxBytes, paceOf(reply, batch))
}

function refuseOtherTypes (accept: string | undefined): void {
  if (negotiate(accept, [EVENTS_TYPE]) !== undefined) return
  throw new RequestError('not_acceptable', `events are answered as ${EVENTS_TYPE}`)
}

function eventsResponse (headers: Record<string, unknown>) {
  return {
    description: 'Events; none at the end of the stream.',
    headers,
    content: { [EVENTS_TYPE]: { schema: byName(CloudEvents), example: [EXAMPLE_EVENT] } }
  }
}
