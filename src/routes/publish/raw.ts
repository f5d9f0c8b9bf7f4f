import { Type } from '@fastify/type-provider-typebox'
import type { IncomingHttpHeaders } from 'node:http'
import type { ApiApp } from '../../http/api-app.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { StreamParams } from '../../api/schemas.ts'
import { PublishingIds, RAW_BODY_FORMATS, rawMessage } from '../../messages/index.ts'
import { MessageBatch } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { toRequestError, wholeBody } from './body.ts'
import {
  ONE_PUBLISHED, PUBLISH_PROBLEMS, PUBLISH_TAGS, publishingId, publishOptions, PublishQuery, type PublishLimits
} from './options.ts'

// By how much a message with few properties is larger than its body. Room for it saves growing the batch.
const MESSAGE_OVERHEAD_BYTES = 64

const RawHeaders = Type.Object({
  'message-id': Type.Optional(Type.String({ description: 'Message id.' })),
  'correlation-id': Type.Optional(Type.String({ description: 'Correlation id.' })),
  subject: Type.Optional(Type.String({ description: 'Subject.' })),
  'publishing-id': Type.Optional(publishingId('Publishing id; needs `publisher`.'))
})

export function publishRaw (app: ApiApp, { maxBodyBytes }: PublishLimits): void {
  app.post(
    '/streams/:stream/messages/raw',
    {
      bodyLimit: maxBodyBytes,
      config: { problems: PUBLISH_PROBLEMS, bodyFormats: RAW_BODY_FORMATS, describedHeaders: RawHeaders },
      schema: {
        operationId: 'publishRaw',
        tags: PUBLISH_TAGS,
        summary: 'Publish the body as one message',
        description:
          'The body is stored byte for byte, whatever its type; its `Content-Type` becomes the content type of the ' +
          'message. For webhooks of other systems and for files. `app-property-*` headers become application ' +
          'properties.',
        params: StreamParams,
        querystring: PublishQuery,
        response: ONE_PUBLISHED
      }
    },
    async (request, reply) => {
      const body = await wholeBody(app, request)
      const batch = new MessageBatch(body.length + MESSAGE_OVERHEAD_BYTES)
      addRaw(batch, body, request.headers, new PublishingIds(request.query.publisher))
      app.holdBody(request, 0)
      const options = { ...publishOptions(request.query), signal: clientSignal(reply) }
      return await sendPublished(reply, await app.broker.publishing.publish(request.params.stream, batch, options))
    }
  )
}

function addRaw (batch: MessageBatch, body: Buffer, headers: IncomingHttpHeaders, ids: PublishingIds): void {
  try {
    const { message, publishingId } = rawMessage(body, headers)
    ids.check(publishingId, '/headers/publishing-id')
    batch.add(message, publishingId)
  } catch (error) {
    throw toRequestError(error)
  }
}
