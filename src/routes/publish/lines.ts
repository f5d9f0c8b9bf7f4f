import { Type } from '@fastify/type-provider-typebox'
import type { ApiApp } from '../../http/api-app.ts'
import { invalidRequest } from '../../api/problems.ts'
import { StreamParams, strictObject } from '../../api/schemas.ts'
import { LINES_BODY_FORMATS } from '../../messages/index.ts'
import { MAX_OFFSET } from '../../streams/index.ts'
import {
  PUBLISH_PROBLEMS, PUBLISH_TAGS, publishingId, publishOptions, PublishQuery, SEVERAL_PUBLISHED, type PublishLimits
} from './options.ts'
import { publishStreamed } from './streamed.ts'

const LinesQuery = strictObject({
  ...PublishQuery.properties,
  firstPublishingId: Type.Optional(
    publishingId('Publishing id of the first line; each following line has the next id. Needs `publisher`.')
  )
})

export function publishLines (app: ApiApp, limits: PublishLimits): void {
  app.post(
    '/streams/:stream/messages/lines',
    {
      config: { problems: PUBLISH_PROBLEMS, bodyFormats: LINES_BODY_FORMATS },
      schema: {
        operationId: 'publishLines',
        tags: PUBLISH_TAGS,
        summary: 'Publish each line as a message',
        description:
          'The fastest way to publish: lines are stored byte for byte, without parsing, while the body arrives. A ' +
          'line ends with LF, which is optional after the last line. An empty line is an empty message. A CR is part ' +
          'of its line.',
        params: StreamParams,
        querystring: LinesQuery,
        response: SEVERAL_PUBLISHED
      }
    },
    async (request, reply) => {
      const { params: { stream }, query } = request
      const { publisher, firstPublishingId } = query
      if ((publisher === undefined) !== (firstPublishingId === undefined)) {
        throw invalidRequest([{ pointer: '/query/firstPublishingId', message: 'goes together with publisher' }])
      }
      return await publishStreamed({
        request,
        reply,
        limits,
        hold: (bytes) => app.holdBody(request, bytes),
        open: ({ signal }) => app.broker.publishing.open(stream, { ...publishOptions(query), signal }),
        turn: async () => { await app.turn(Infinity) },
        addLine: (line, lineNumber, batch) => {
          batch.addData(line, publishingIdOf(lineNumber, firstPublishingId))
          return undefined
        }
      })
    }
  )
}

function publishingIdOf (lineNumber: number, firstPublishingId: number | undefined): number | undefined {
  if (firstPublishingId === undefined) return undefined
  const id = firstPublishingId + lineNumber
  if (id > MAX_OFFSET) {
    throw invalidRequest([{ pointer: `/${lineNumber}`, message: 'has a publishing id beyond 2^53-1' }])
  }
  return id
}
