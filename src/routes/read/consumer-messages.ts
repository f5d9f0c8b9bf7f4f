import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { clientSignal, whenClosed } from '../../http/request-scope.ts'
import { invalidRequest } from '../../api/problems.ts'
import { BROKER_PROBLEMS, ConsumerParams, offset, strictObject } from '../../api/schemas.ts'
import { toPosition } from '../../api/text-formats.ts'
import { answerFormat, batchResponse, READ_HEADERS, sendBatch } from './answer.ts'
import { amountQuery, bodyQuery, position, readRequest, type ReadLimits } from './query.ts'

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
      config: { problems },
      schema: {
        operationId: 'readAsConsumer',
        tags: ['Consumers'],
        summary: 'Read from the stored offset on',
        description:
          'For at least once, pass the offset of the last message processed as `commit` with the next read. For at ' +
          'most once, use `autoCommit=true`.',
        params: ConsumerParams,
        querystring: consumerQuery(limits),
        response: { 200: batchResponse(READ_HEADERS) }
      }
    },
    async (request, reply) => {
      const { params: { stream, consumer }, query } = request
      const format = answerFormat(request.headers.accept)
      const { commit, expected } = query
      if (expected !== undefined && commit === undefined) {
        throw invalidRequest([{ pointer: '/query/expected', message: 'needs commit' }])
      }
      const read = { ...readRequest(toPosition(query.from, '/query/from'), query), store: commit, expected }
      const batch = await app.broker.consumers.read(stream, consumer, read, clientSignal(reply))
      if (query.autoCommit) {
        whenClosed(reply, (isDelivered) => {
          const { lastOffset } = batch
          if (isDelivered && reply.statusCode === 200 && lastOffset !== undefined) {
            app.broker.consumers.storeDelivered(stream, consumer, lastOffset)
          }
        })
      }
      return await sendBatch(reply, batch, format, query)
    }
  )
}

function consumerQuery (limits: ReadLimits) {
  return strictObject({
    from: position('Where a consumer without a stored offset starts.', 'first'),
    commit: Type.Optional(offset('The offset of the last message processed; it is stored before the read.')),
    expected: Type.Optional(
      offset(
        'Needs `commit`: refuse with 412 unless this offset was stored before. A commit with it does not undo a reset.'
      )
    ),
    autoCommit: Type.Boolean({
      default: false,
      description: 'Store the offset of the last message once the answer is on its way to the client.'
    }),
    ...amountQuery(limits),
    ...bodyQuery
  })
}
