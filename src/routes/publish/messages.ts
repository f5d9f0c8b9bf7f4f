import type { Static } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { traceHeadersOf } from '../../http/trace-headers.ts'
import { strictObject } from '../../api/schemas.ts'
import {
  PublishingIds, requestCodec, traceContextOf, type BodyFormat, type TraceContext
} from '../../messages/index.ts'
import { wholeBody } from './body.ts'
import { CompressionQuery, compressionOf } from './compression.ts'
import type { GoalKind } from './goal.ts'
import {
  commonFilterValue, publishOptions, PublishQuery, SEVERAL_PUBLISHED, type PublishLimits
} from './options.ts'
import { publishStreamed } from './streamed.ts'
import { publishWhole, type Common } from './whole.ts'

const DESCRIPTION =
  'As a JSON object, all of whose messages are checked before the first one is sent; or as NDJSON, one message a ' +
  'line, published while the body arrives. The body may be compressed (`Content-Encoding`).'

const MessagesQuery = strictObject({ ...PublishQuery.properties, ...CompressionQuery })

export function publishMessages (
  app: ApiApp, limits: PublishLimits, formats: readonly BodyFormat[], kind: GoalKind
): void {
  app.post(
    `${kind.path}/messages`,
    {
      bodyLimit: limits.maxBodyBytes,
      config: { problems: kind.problems, bodyFormats: formats },
      schema: {
        operationId: `publish${kind.subject}Messages`,
        tags: kind.tags,
        summary: `Publish messages${kind.to}`,
        description: DESCRIPTION + kind.about,
        params: kind.params,
        querystring: kind.query(MessagesQuery),
        response: SEVERAL_PUBLISHED
      }
    },
    async (request, reply) => {
      const goal = kind.goalOf(request, request.query)
      const common = commonOf(request.query, kind, traceContextOf(traceHeadersOf(request)))
      const options = publishOptions(request.query)
      const codec = requestCodec(request.headers['content-type'])
      const compression = compressionOf(request.query, codec.framing)
      if (codec.framing === 'lines') {
        const destination = { ...common, limits, isCompressed: compression !== undefined }
        return await publishStreamed({
          request,
          reply,
          limits,
          hold: (bytes) => app.holdBody(request, bytes),
          open: ({ signal }) => goal.open({ ...options, compression, signal }),
          turn: async () => { await app.turn(Infinity) },
          addLine: (line, index, batch, work) => codec.addLine(line, index, { ...destination, batch, work })
        })
      }
      const body = await wholeBody(app, request)
      const read = codec.decode(body, limits)
      return await publishWhole({ app, request, reply, goal, options, read, bodyBytes: body.length, limits, common })
    }
  )
}

function commonOf (
  query: Static<typeof PublishQuery>, { isRouted }: GoalKind, trace: TraceContext | undefined
): Common {
  return { ids: new PublishingIds(query.publisher), filterValue: commonFilterValue(query), trace, isRouted }
}
