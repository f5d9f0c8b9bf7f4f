import { Type, type FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { IncomingHttpHeaders } from 'node:http'
import { clientSignal } from '../../http/exchange.ts'
import { parseExactJsonBody } from '../../http/json-body.ts'
import { pointerTo } from '../../text/json-pointer.ts'
import { invalidRequest, RequestError } from '../../api/problems.ts'
import { MAX_OFFSET, MessageBatch, type PublishOptions } from '../../streams/index.ts'
import { MessageFormatError, rawMessage } from '../../messages/index.ts'
import { addAll, addLine, PublishingIds } from './incoming.ts'
import { MessageWrite } from '../../messages/schemas.ts'
import { PartlyPublishedSchema, PublishedSchema, PublishFailureSchema, sendPublished } from './answer.ts'
import { publishLines, type StreamedLimits } from './streamed.ts'
import { BODY_PROBLEMS, BROKER_PROBLEMS, json, PUBLISHER_NAME, StreamParams, strictObject } from '../../api/schemas.ts'

interface PublishLimits extends StreamedLimits {
  maxBodyBytes: number
  maxMessages: number
}

const expectedLastPublishingId = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: MAX_OFFSET,
    description: 'Refuse with 412 unless this is the last publishing id that the broker has of the publisher.'
  })
)
const publisher = Type.Optional(
  Type.String({
    minLength: 1,
    description: `${PUBLISHER_NAME} With it every message needs a publishing id, and the broker stores none twice. ` +
      'One request at a time for each publisher name.'
  })
)

const PublishQuery = strictObject({ publisher, expectedLastPublishingId })
const LinesQuery = strictObject({
  publisher,
  expectedLastPublishingId,
  firstPublishingId: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_OFFSET,
      description: 'Publishing id of the first line; each next line has the next one. Together with `publisher`.'
    })
  )
})

const allPublished = {
  200: json('Every message is stored, or was before.', PublishedSchema, { confirmed: 2, duplicates: 0 })
}
const responses = {
  ...allPublished,
  207: json('Some messages were stored, and some not.', PartlyPublishedSchema, {
    confirmed: 1,
    duplicates: 0,
    results: [{ index: 1, status: 'unknown', code: 'confirm_timeout' }]
  })
}
const problems = [
  ...BROKER_PROBLEMS,
  ...BODY_PROBLEMS,
  'expectation_failed',
  'publisher_overtaken',
  'draining',
  'confirm_timeout'
] as const
const tags = ['Publish']

const RawHeaders = Type.Object({
  'message-id': Type.Optional(Type.String({ description: 'Message id.' })),
  'correlation-id': Type.Optional(Type.String({ description: 'Correlation id.' })),
  subject: Type.Optional(Type.String({ description: 'Subject.' })),
  'publishing-id': Type.Optional(
    Type.Integer({ minimum: 0, maximum: MAX_OFFSET, description: 'Publishing id, together with `publisher`.' })
  )
})

// What a message with few properties is larger than its body: room for it saves growing.
const MESSAGE_OVERHEAD_BYTES = 64

// What a body becomes that is not read before its handler asks for it.
const UNREAD = Symbol('unread body')

/** Publish: JSON and NDJSON, one raw body, lines. */
export const publishRoutes: FastifyPluginAsyncTypebox<{ limits: PublishLimits }> = async (app, { limits }) => {
  for (const schema of [
    { ...MessageWrite, $id: 'MessageWrite' },
    PublishFailureSchema,
    PublishedSchema,
    PartlyPublishedSchema
  ]) app.addSchema(schema)
  await app.register(publishMessages, { limits })
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers()
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null, UNREAD))
    await scope.register(publishRaw, { limits })
    await scope.register(publishRawLines, { limits })
  })
}

const publishMessages: FastifyPluginAsyncTypebox<{ limits: PublishLimits }> = async (app, { limits }) => {
  const { maxMessages } = limits
  const PublishBody = Type.Object(
    { messages: Type.Array(Type.Ref('MessageWrite'), { minItems: 1, maxItems: maxMessages }) },
    {
      additionalProperties: false,
      examples: [
        {
          messages: [
            { body: { hello: 'world' } },
            { body: 'hello', bodyEncoding: 'text', properties: { messageId: 'm-1' } }
          ]
        }
      ]
    }
  )

  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/json', 'application/x-ndjson'], (_request, _payload, done) =>
    done(null, UNREAD)
  )
  app.post(
    '/streams/:stream/messages',
    {
      bodyLimit: limits.maxBodyBytes,
      config: {
        problems,
        describedBody: {
          content: {
            'application/json': { schema: PublishBody },
            'application/x-ndjson': {
              schema: Type.String({
                description: 'One message a line.',
                examples: ['{"body":{"n":1}}\n{"body":{"n":2}}\n']
              })
            }
          }
        }
      },
      schema: {
        operationId: 'publishMessages',
        tags,
        summary: 'Publish messages',
        description:
          'As a JSON object, of which all messages are checked before the first one is sent; or as NDJSON, one ' +
          'message a line, published while it arrives.',
        params: StreamParams,
        querystring: PublishQuery,
        response: responses
      }
    },
    async (request, reply) => {
      const { stream } = request.params
      const ids = new PublishingIds(request.query.publisher)
      const options = publishOptions(request.query)
      if (isNdjson(request.headers)) {
        return await publishLines({
          request,
          reply,
          limits,
          hold: (bytes) => app.holdBody(request, bytes),
          open: ({ signal }) => app.broker.publishing.open(stream, { ...options, signal }),
          addLine: (line, lineNumber, batch) => addLine(line, lineNumber, ids, batch)
        })
      }
      const body = request.body === UNREAD ? await app.readWholeBody(request) : Buffer.alloc(0)
      const batch = app.isHeavy(body.length) ? await toBatchInTurn(body, ids) : toBatch(body, maxMessages, ids)
      // From here on it is the batch that takes memory, and that is the broker's to count.
      app.holdBody(request, 0)
      return await sendPublished(
        reply,
        await app.broker.publishing.publish(stream, batch, { ...options, signal: clientSignal(reply) })
      )
    }
  )

  // With room held for it, so that who is to be refused is refused before that work and not after it.
  async function toBatchInTurn (body: Buffer, ids: PublishingIds): Promise<MessageBatch> {
    const lease = app.broker.publishing.reserve(body.length)
    try {
      await app.turn(body.length)
      return toBatch(body, maxMessages, ids)
    } finally {
      lease.end()
    }
  }
}

const publishRaw: FastifyPluginAsyncTypebox<{ limits: PublishLimits }> = async (app, { limits }) => {
  app.post(
    '/streams/:stream/messages/raw',
    {
      bodyLimit: limits.maxBodyBytes,
      config: {
        problems,
        describedBody: {
          content: {
            'application/octet-stream': { schema: Type.String({ examples: ['hello'] }) },
            '*/*': { schema: Type.String() }
          }
        },
        describedHeaders: RawHeaders
      },
      schema: {
        operationId: 'publishRaw',
        tags,
        summary: 'Publish the body as one message',
        description:
          'Whatever its type, byte for byte; its `Content-Type` becomes that of the message. For webhooks of other ' +
          'systems and for files. `app-property-*` headers become application properties.',
        params: StreamParams,
        querystring: PublishQuery,
        response: allPublished
      }
    },
    async (request, reply) => {
      const body = request.body === UNREAD ? await app.readWholeBody(request) : Buffer.alloc(0)
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
    throw error instanceof MessageFormatError
      ? invalidRequest([{ pointer: error.pointer, message: error.message }], error)
      : error
  }
}

const publishRawLines: FastifyPluginAsyncTypebox<{ limits: PublishLimits }> = async (app, { limits }) => {
  app.post(
    '/streams/:stream/messages/lines',
    {
      config: {
        problems,
        describedBody: {
          content: {
            'text/plain': { schema: Type.String({ examples: ['first\nsecond\n'] }) },
            '*/*': { schema: Type.String() }
          }
        }
      },
      schema: {
        operationId: 'publishLines',
        tags,
        summary: 'Publish each line as a message',
        description:
          'Byte for byte, never parsed, published while it arrives: the fastest way in. Lines end with LF, which the ' +
          'last one may lack; an empty line is an empty message; a CR belongs to its line.',
        params: StreamParams,
        querystring: LinesQuery,
        response: responses
      }
    },
    async (request, reply) => {
      const { query } = request
      const { publisher, firstPublishingId } = query
      if ((publisher === undefined) !== (firstPublishingId === undefined)) {
        throw invalidRequest([{ pointer: '/query/firstPublishingId', message: 'goes together with publisher' }])
      }
      return await publishLines({
        request,
        reply,
        limits,
        hold: (bytes) => app.holdBody(request, bytes),
        open: ({ signal }) => app.broker.publishing.open(request.params.stream, { ...publishOptions(query), signal }),
        addLine (line, lineNumber, batch) {
          const id = firstPublishingId === undefined ? undefined : firstPublishingId + lineNumber
          if (id !== undefined && id > MAX_OFFSET) {
            throw invalidRequest([{ pointer: `/${lineNumber}`, message: 'has a publishing id beyond 2^53-1' }])
          }
          batch.addData(line, id)
        }
      })
    }
  )
}

function publishOptions ({
  publisher,
  expectedLastPublishingId
}: {
  publisher?: string
  expectedLastPublishingId?: number
}): PublishOptions {
  if (expectedLastPublishingId !== undefined && publisher === undefined) {
    throw invalidRequest([{ pointer: '/query/expectedLastPublishingId', message: 'needs publisher' }])
  }
  return {
    publisher,
    expectedLastPublishingId: expectedLastPublishingId === undefined ? undefined : BigInt(expectedLastPublishingId)
  }
}

function isNdjson ({ 'content-type': type = '' }: IncomingHttpHeaders): boolean {
  return /^application\/x-ndjson[ \t]*(;|$)/i.test(type)
}

function toBatch (body: Buffer, maxMessages: number, ids: PublishingIds): MessageBatch {
  const { value, exact } = body.length === 0 ? { value: undefined, exact: undefined } : parseExactJsonBody(body)
  const messages = messagesOf(value, maxMessages)
  const batch = new MessageBatch(body.length + messages.length * MESSAGE_OVERHEAD_BYTES)
  addAll(messages, messagesOf(exact, maxMessages), ids, batch)
  return batch
}

function messagesOf (body: unknown, maxMessages: number): readonly unknown[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalidRequest([{ pointer: '', message: 'must be an object' }])
  }
  const unknown = Object.keys(body).find((name) => name !== 'messages')
  if (unknown !== undefined) throw invalidRequest([{ pointer: pointerTo('', unknown), message: 'is unknown' }])
  const messages = 'messages' in body ? body.messages : undefined
  if (!Array.isArray(messages) || messages.length === 0) {
    throw invalidRequest([{
      pointer: '/messages',
      message: 'must ' +
    'be an array of at least one message'
    }])
  }
  if (messages.length > maxMessages) {
    throw new RequestError(
      'payload_too_large',
      `the body has ${messages.length} messages, more than PUBLISH_MAX_MESSAGES (${maxMessages})`
    )
  }
  return messages
}
