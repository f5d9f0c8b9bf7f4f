import { Type } from '@fastify/type-provider-typebox'
import type { IncomingHttpHeaders } from 'node:http'
import type { ApiApp } from '../../http/api-app.ts'
import { brokerOf } from '../../http/caller.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { StreamParams, strictObject } from '../../api/schemas.ts'
import {
  isForm, KEPT_HEADERS, mediaTypeOf, parseKeptHeaders, PublishingIds, RAW_BODY_FORMATS, rawMessage,
  type FilterValue
} from '../../messages/index.ts'
import { MessageBatch } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { refuseForm, toRequestError, wholeBody } from './body.ts'
import {
  commonFilterValue, ONE_PUBLISHED, PUBLISH_PROBLEMS, PUBLISH_TAGS, publishingId, publishOptions, PublishQuery,
  type PublishLimits
} from './options.ts'

// By how much a message with few properties is larger than its body. Room for it saves growing the batch.
const MESSAGE_OVERHEAD_BYTES = 64

const RawHeaders = Type.Object({
  'message-id': Type.Optional(Type.String({ description: 'Message id.' })),
  'correlation-id': Type.Optional(Type.String({ description: 'Correlation id.' })),
  subject: Type.Optional(Type.String({ description: 'Subject.' })),
  'publishing-id': Type.Optional(publishingId('Publishing id; needs `publisher`.')),
  'filter-value': Type.Optional(Type.String({ description: 'Filter value, in place of the one of the query.' }))
})

const RawQuery = strictObject({
  ...PublishQuery.properties,
  keep: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 4000,
      description: KEPT_HEADERS,
      examples: ['x-github-event,x-github-delivery,x-hub-signature-256']
    })
  ),
  keepForm: Type.Boolean({
    default: false,
    description:
      'Store a body that is a form (`application/x-www-form-urlencoded`, `multipart/form-data`) byte for byte too. ' +
      'Without it a form is refused, because programs such as `curl -d` send these types unasked.'
  })
})

interface Raw {
  body: Buffer
  headers: IncomingHttpHeaders
  kept: readonly string[]
  filterValue: FilterValue | undefined
}

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
          'properties, and so do the headers that `keep` names.',
        params: StreamParams,
        querystring: RawQuery,
        response: ONE_PUBLISHED
      }
    },
    async (request, reply) => {
      const { headers, query: { keep, keepForm, ...query } } = request
      if (!keepForm && isForm(mediaTypeOf(headers['content-type']))) {
        throw refuseForm(headers, 'a form is stored with keepForm=true')
      }
      const kept = keptHeaders(keep)
      const filterValue = commonFilterValue(query)
      const body = await wholeBody(app, request)
      const batch = new MessageBatch(body.length + MESSAGE_OVERHEAD_BYTES)
      addRaw(batch, { body, headers, kept, filterValue }, new PublishingIds(query.publisher))
      app.holdBody(request, 0)
      const options = { ...publishOptions(query), signal: clientSignal(reply) }
      const result = await brokerOf(request).publishing.publish(request.params.stream, batch, options)
      return await sendPublished(reply, result)
    }
  )
}

function addRaw (batch: MessageBatch, { body, headers, kept, filterValue: common }: Raw, ids: PublishingIds): void {
  try {
    const { message, publishingId, filterValue = common } = rawMessage(body, headers, kept)
    ids.check(publishingId, '/headers/publishing-id')
    batch.add(filterValue?.addedTo(message) ?? message, publishingId, filterValue?.bytes)
  } catch (error) {
    throw toRequestError(error)
  }
}

function keptHeaders (keep: string | undefined): readonly string[] {
  try {
    return parseKeptHeaders(keep)
  } catch (error) {
    throw toRequestError(error)
  }
}
