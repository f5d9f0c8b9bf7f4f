import { Type } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ApiApp } from '../../http/api-app.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { traceHeadersOf } from '../../http/trace-headers.ts'
import { summaryOf, type FieldError } from '../../api/field-error.ts'
import { invalidRequest, RequestError } from '../../api/problems.ts'
import { strictObject } from '../../api/schemas.ts'
import {
  addHeaderEvent, EVENT_TYPE, eventBodyFormats, EVENTS_TYPE, EventsRequest, hasEventHeaders, isOfWholeEvents,
  mediaTypeOf, PublishingIds, traceContextOf
} from '../../messages/index.ts'
import { MAX_OFFSET, MessageBatch, type PublishOptions } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { toRequestError, wholeBody } from './body.ts'
import type { GoalKind, PublishGoal } from './goal.ts'
import {
  commonFilterValue, publishingId, publishOptions, PublishQuery, SEVERAL_PUBLISHED, type PublishLimits
} from './options.ts'
import { publishWhole, type Common } from './whole.ts'

const EventsQuery = strictObject({
  ...PublishQuery.properties,
  firstPublishingId: Type.Optional(
    publishingId('Publishing id of the first event; each following one has the next id. Needs `publisher`.')
  )
})

// By how much a message of headers is larger than its body. Room for it saves growing the batch.
const MESSAGE_OVERHEAD_BYTES = 512

/** What a request publishes, and how. */
interface EventsPublish {
  readonly app: ApiApp
  readonly request: FastifyRequest
  readonly reply: FastifyReply
  readonly limits: PublishLimits
  readonly goal: PublishGoal
  readonly options: PublishOptions
  readonly common: Common
  readonly firstPublishingId: number | undefined
}

export function publishEvents (app: ApiApp, limits: PublishLimits, kind: GoalKind): void {
  app.post(
    `${kind.path}/events`,
    {
      bodyLimit: limits.maxBodyBytes,
      config: {
        problems: [...kind.problems, 'invalid_cloudevent'],
        bodyFormats: eventBodyFormats(limits.maxMessages),
        mayLackBody: true
      },
      schema: {
        operationId: `publish${kind.subject}Events`,
        tags: kind.tags,
        summary: `Publish CloudEvents${kind.to}`,
        description:
          'CloudEvents 1.0: one event (structured mode), an array of events (batched), or any body whose attributes ' +
          'are in `ce-*` headers (binary mode). All are checked before the first one is sent. They are stored in the ' +
          'binary mode of the AMQP protocol binding.' +
          (kind.isRouted ? ' The extension `partitionkey` is the routing key of its event.' : '') + kind.about,
        params: kind.params,
        querystring: kind.query(EventsQuery),
        response: SEVERAL_PUBLISHED
      }
    },
    async (request, reply) => {
      const { query, headers } = request
      const { publisher, firstPublishingId } = query
      if ((publisher === undefined) !== (firstPublishingId === undefined)) {
        throw invalidRequest([{ pointer: '/query/firstPublishingId', message: 'goes together with publisher' }])
      }
      const form = formOf(headers)
      const publish: EventsPublish = {
        app,
        request,
        reply,
        limits,
        goal: kind.goalOf(request, query),
        options: publishOptions(query),
        common: {
          ids: new PublishingIds(publisher),
          filterValue: commonFilterValue(query),
          trace: traceContextOf(traceHeadersOf(request)),
          isRouted: kind.isRouted
        },
        firstPublishingId
      }
      return form === 'headers' ? await publishBinary(publish) : await publishJson(publish, form === 'batch')
    }
  )
}

function formOf (headers: FastifyRequest['headers']): 'one' | 'batch' | 'headers' {
  const mediaType = mediaTypeOf(headers['content-type'])
  if (mediaType === EVENT_TYPE) return 'one'
  if (mediaType === EVENTS_TYPE) return 'batch'
  // Other formats of whole events, such as Avro.
  if (!isOfWholeEvents(mediaType) && hasEventHeaders(headers)) return 'headers'
  throw new RequestError(
    'unsupported_media_type',
    `an event is sent as ${EVENT_TYPE}, several as ${EVENTS_TYPE}, and a body of another type with its attributes in ` +
    'ce-* headers'
  )
}

async function publishJson (publish: EventsPublish, isBatch: boolean): Promise<FastifyReply> {
  const { app, request, limits, firstPublishingId } = publish
  const body = await wholeBody(app, request)
  const read = new EventsRequest(body, limits, { isBatch, firstPublishingId })
  if (firstPublishingId !== undefined && firstPublishingId > MAX_OFFSET - limits.maxMessages) {
    throw invalidRequest([{ pointer: '/query/firstPublishingId', message: 'leaves no room for the ids of a batch' }])
  }
  return await publishWhole({ ...publish, read, bodyBytes: body.length, refusal: invalidEvent })
}

async function publishBinary (publish: EventsPublish): Promise<FastifyReply> {
  const { app, request, reply, limits, goal, options, common, firstPublishingId } = publish
  const body = await wholeBody(app, request)
  const batch = new MessageBatch(body.length + MESSAGE_OVERHEAD_BYTES)
  try {
    const to = { ...common, batch, frameMaxBytes: limits.frameMaxBytes }
    addHeaderEvent(body, request.raw.headersDistinct, to, firstPublishingId)
  } catch (error) {
    throw toRequestError(error, 'bad_request', invalidEvent)
  }
  app.holdBody(request, 0)
  return await sendPublished(reply, await goal.publish(batch, { ...options, signal: clientSignal(reply) }))
}

function invalidEvent (errors: readonly FieldError[], cause?: unknown): RequestError {
  return new RequestError('invalid_cloudevent', summaryOf(errors), { errors, cause })
}
