import type { ApiApp } from '../../http/api-app.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { invalidRequest, RequestError } from '../../api/problems.ts'
import { StreamParams } from '../../api/schemas.ts'
import { PublishingIds, requestCodec, type BodyFormat, type WholeBody } from '../../messages/index.ts'
import { MessageBatch } from '../../streams/index.ts'
import { sendPublished } from './answer.ts'
import { toRequestError, wholeBody } from './body.ts'
import {
  PUBLISH_PROBLEMS, PUBLISH_TAGS, publishOptions, PublishQuery, SEVERAL_PUBLISHED, type PublishLimits
} from './options.ts'
import { publishStreamed } from './streamed.ts'

// By how much a message with few properties is larger than its body. Room for it saves growing the batch.
const MESSAGE_OVERHEAD_BYTES = 64

export function publishMessages (app: ApiApp, limits: PublishLimits, formats: readonly BodyFormat[]): void {
  app.post(
    '/streams/:stream/messages',
    {
      bodyLimit: limits.maxBodyBytes,
      config: { problems: PUBLISH_PROBLEMS, bodyFormats: formats },
      schema: {
        operationId: 'publishMessages',
        tags: PUBLISH_TAGS,
        summary: 'Publish messages',
        description:
          'As a JSON object, all of whose messages are checked before the first one is sent; or as NDJSON, one ' +
          'message a line, published while the body arrives. The body may be compressed (`Content-Encoding`).',
        params: StreamParams,
        querystring: PublishQuery,
        response: SEVERAL_PUBLISHED
      }
    },
    async (request, reply) => {
      const { stream } = request.params
      const ids = new PublishingIds(request.query.publisher)
      const options = publishOptions(request.query)
      const codec = requestCodec(request.headers['content-type'])
      if (codec.framing === 'lines') {
        return await publishStreamed({
          request,
          reply,
          limits,
          hold: (bytes) => app.holdBody(request, bytes),
          open: ({ signal }) => app.broker.publishing.open(stream, { ...options, signal }),
          addLine: (line, lineNumber, batch) => codec.addLine(line, lineNumber, ids, batch)
        })
      }
      const body = await wholeBody(app, request)
      const makeBatch = (): MessageBatch => toBatch(codec.decode, body, limits.maxMessages, ids)
      const batch = app.isHeavy(body.length) ? await inTurn(app, body.length, makeBatch) : makeBatch()
      // From here on the batch takes the memory, and the broker counts it.
      app.holdBody(request, 0)
      return await sendPublished(
        reply,
        await app.broker.publishing.publish(stream, batch, { ...options, signal: clientSignal(reply) })
      )
    }
  )
}

// Room is held meanwhile, so that a request that does not fit is refused before the work and not after it.
async function inTurn<T> (app: ApiApp, bytes: number, work: () => T): Promise<T> {
  const lease = app.broker.publishing.reserve(bytes)
  try {
    await app.turn(bytes)
    return work()
  } finally {
    lease.end()
  }
}

function toBatch (
  decode: (body: Buffer) => WholeBody,
  body: Buffer,
  maxMessages: number,
  ids: PublishingIds
): MessageBatch {
  const { count, addTo } = decoded(decode, body)
  if (count > maxMessages) {
    throw new RequestError(
      'payload_too_large',
      `the body has ${count} messages, more than PUBLISH_MAX_MESSAGES (${maxMessages})`
    )
  }
  const batch = new MessageBatch(body.length + count * MESSAGE_OVERHEAD_BYTES)
  const errors = addTo(batch, ids)
  if (errors.length > 0) throw invalidRequest(errors)
  return batch
}

function decoded (decode: (body: Buffer) => WholeBody, body: Buffer): WholeBody {
  try {
    return decode(body)
  } catch (error) {
    throw toRequestError(error)
  }
}
