import { Type } from '@fastify/type-provider-typebox'
import type { IncomingHttpHeaders } from 'node:http'
import type { ApiApp } from '../../http/api-app.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { traceHeadersOf } from '../../http/trace-headers.ts'
import { strictObject } from '../../api/schemas.ts'
import {
  isForm, KEPT_HEADERS, mediaTypeOf, parseKeptHeaders, PublishingIds, RAW_BODY_FORMATS, rawMessage,
  traceContextOf, type FilterValue, type TraceContext
} from '../../messages/index.ts'
import { MessageBatch } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { refuseForm, toRequestError, wholeBody } from './body.ts'
import type { GoalKind } from './goal.ts'
import {
  commonFilterValue, ONE_PUBLISHED, publishingId, publishOptions, PublishQuery, type PublishLimits
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

const RoutedRawHeaders = Type.Object({
  ...RawHeaders.properties,
  'routing-key': Type.Optional(Type.String({ description: 'Routing key, in place of the one of the query.' }))
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
  trace: TraceContext | undefined
  isRouted: boolean
}

export function publishRaw (app: ApiApp, { maxBodyBytes }: PublishLimits, kind: GoalKind): void {
  app.post(
    `${kind.path}/messages/raw`,
    {
      bodyLimit: maxBodyBytes,
      config: {
        problems: kind.problems,
        bodyFormats: RAW_BODY_FORMATS,
        describedHeaders: kind.isRouted ? RoutedRawHeaders : RawHeaders
      },
      schema: {
        operationId: `publish${kind.subject}Raw`,
        tags: kind.tags,
        summary: `Publish the body as one message${kind.to}`,
        description:
          'The body is stored byte for byte, whatever its type; its `Content-Type` becomes the content type of the ' +
          'message. For webhooks of other systems and for files. `app-property-*` headers become application ' +
          'properties, and so do the headers that `keep` names.' + kind.about,
        params: kind.params,
        querystring: kind.query(RawQuery),
        response: ONE_PUBLISHED
      }
    },
    async (request, reply) => {
      const { headers, query: { keep, keepForm, ...query } } = request
      if (!keepForm && isForm(mediaTypeOf(headers['content-type']))) {
        throw refuseForm(headers, 'a form is stored with keepForm=true')
      }
      const kept = keptHeaders(keep)
      const goal = kind.goalOf(request, query)
      const filterValue = commonFilterValue(query)
      const body = await wholeBody(app, request)
      const trace = traceContextOf(traceHeadersOf(request))
      const batch = new MessageBatch(body.length + MESSAGE_OVERHEAD_BYTES + (trace?.byteLength ?? 0))
      const raw = { body, headers, kept, filterValue, trace, isRouted: kind.isRouted }
      addRaw(batch, raw, new PublishingIds(query.publisher))
      app.holdBody(request, 0)
      const options = { ...publishOptions(query), signal: clientSignal(reply) }
      const result = await goal.publish(batch, options)
      return await sendPublished(reply, result)
    }
  )
}

function addRaw (batch: MessageBatch, raw: Raw, ids: PublishingIds): void {
  const { body, headers, kept, filterValue: common, trace, isRouted } = raw
  try {
    const { message: own, publishingId, routingKey, filterValue = common } = rawMessage(body, headers, kept)
    const message = trace?.addedTo(own) ?? own
    ids.check(publishingId, '/headers/publishing-id')
    batch.add(filterValue?.addedTo(message) ?? message, publishingId, filterValue?.bytes)
    if (routingKey !== undefined && isRouted) batch.routeLast(routingKey)
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
