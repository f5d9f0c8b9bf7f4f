import { Type } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { negotiate } from '../../http/accept.ts'
import type { BufferPool } from '../../text/buffer-pool.ts'
import { whenClosed } from '../../http/exchange.ts'
import { RequestError } from '../../api/problems.ts'
import { StreamsError, type ReadBatch, type ReadMessage } from '../../streams/index.ts'
import { batchToJsonText, linesOf, messageToJsonText, type ReadEncoding } from '../../messages/index.ts'
import { byName, offset } from '../../api/schemas.ts'

const JSON_TYPE = 'application/json'
const NDJSON_TYPE = 'application/x-ndjson'

/** What a read answers. */
export const BatchSchema = Type.Object(
  {
    messages: Type.Array(Type.Ref('MessageRead')),
    nextOffset: offset(
      'Where the next read goes on; it misses nothing. Not always the last offset + 1: records of the broker take ' +
      'offsets too.'
    ),
    endOfStream: Type.Boolean({ description: 'Nothing readable was left when the answer was made.' }),
    gap: Type.Optional(
      Type.Object(
        { from: offset('First missing offset.'), to: offset('Last missing offset.') },
        { description: 'What retention took between the wanted and the delivered offset.' }
      )
    )
  },
  { $id: 'Batch' }
)

export const READ_HEADERS = {
  'stream-next-offset': { type: 'integer', description: '`nextOffset`.' },
  'stream-end-of-stream': { type: 'boolean', description: '`endOfStream`.' },
  'stream-gap': { type: 'string', description: '`gap`, as `from-to`; only when there is one.' }
} as const

export const LINK_HEADER = { link: { type: 'string', description: 'The next read, with `rel="next"`.' } } as const

const EXAMPLE_MESSAGE = {
  offset: 0,
  timestamp: '2026-01-31T12:00:00.000Z',
  body: { hello: 'world' },
  bodyEncoding: 'json',
  properties: { contentType: 'application/json' }
}

/** The answer to a read, as the document shows it. */
export function batchResponse (headers: Record<string, unknown>) {
  return {
    description: 'Messages; none at the end of the stream.',
    headers,
    content: {
      [JSON_TYPE]: {
        schema: byName(BatchSchema),
        example: { messages: [EXAMPLE_MESSAGE], nextOffset: 1, endOfStream: true }
      },
      [NDJSON_TYPE]: {
        schema: Type.String({ description: 'One message a line.' }),
        example: `${JSON.stringify(EXAMPLE_MESSAGE)}\n`
      }
    }
  }
}

/** Answers with a batch as JSON or NDJSON, whichever the client accepts, and gives its memory back afterwards. */
export async function sendBatch (
  reply: FastifyReply,
  batch: ReadBatch,
  type: typeof JSON_TYPE | typeof NDJSON_TYPE,
  encoding: ReadEncoding
): Promise<FastifyReply> {
  whenClosed(reply, () => batch.release())
  await reply.server.turn(batch.storedBytes)
  setReadHeaders(reply, batch)
  // Joined by hand, not serialised by a schema: a batch has thousands of messages, each of which is text already. A
  // buffer, because a text would be held a second time, as bytes, until a slow client has taken them.
  const isLines = type === NDJSON_TYPE
  const texts = batchToJsonText(batch.pieces, encoding, isLines ? '\n' : ',')
  const { nextOffset, endOfStream, gap } = batch
  const gapText = gap === undefined ? '' : `,"gap":${JSON.stringify(gap)}`
  const body = Buffer.from(isLines
    ? texts === '' ? '' : `${texts}\n`
    : `{"messages":[${texts}],"nextOffset":${nextOffset},"endOfStream":${endOfStream}${gapText}}`)
  batch.encoded(body.length)
  return await reply.type(type).send(body)
}

/** Answers with one message as JSON. */
export async function sendMessage (
  reply: FastifyReply,
  message: ReadMessage,
  batch: ReadBatch,
  encoding: ReadEncoding
): Promise<FastifyReply> {
  whenClosed(reply, () => batch.release())
  await reply.server.turn(message.bytes.length)
  const body = Buffer.from(messageToJsonText(message, encoding))
  batch.encoded(body.length)
  return await reply.type(JSON_TYPE).send(body)
}

/**
 * Answers with bodies, one a line. A body with a line feed would look like two: the batch ends before it.
 *
 * @throws StreamsError `body_not_a_line` when the first one is such
 */
export async function sendLines (
  reply: FastifyReply,
  batch: ReadBatch,
  pool: BufferPool,
  setLink: (nextOffset: number) => void
): Promise<FastifyReply> {
  whenClosed(reply, () => batch.release())
  await reply.server.turn(batch.storedBytes)
  const { bytes, stoppedAt, release } = linesOf(batch.pieces, pool)
  // What was cut off is left to the garbage collector.
  whenClosed(reply, (isDelivered) => { if (isDelivered) release() })
  if (stoppedAt !== undefined && bytes.length === 0) throw notALine(stoppedAt)
  const end = stoppedAt === undefined ? batch : { nextOffset: stoppedAt, endOfStream: false, gap: batch.gap }
  setReadHeaders(reply, end)
  setLink(end.nextOffset)
  batch.encoded(bytes.buffer.byteLength)
  return await reply.type('text/plain').send(bytes)
}

function notALine (offset: number): StreamsError {
  return new StreamsError('body_not_a_line', `the message at offset ${offset} has a line feed in its body`, {
    details: { offset }
  })
}

function setReadHeaders (
  reply: FastifyReply,
  { nextOffset, endOfStream, gap }: Pick<ReadBatch, 'nextOffset' | 'endOfStream' | 'gap'>
): void {
  reply.header('stream-next-offset', String(nextOffset)).header('stream-end-of-stream', String(endOfStream))
  if (gap !== undefined) reply.header('stream-gap', `${gap.from}-${gap.to}`)
}

/** Points to the next read: the same one, from there on. */
export function setNextLink (reply: FastifyReply, nextOffset: number): void {
  const [path = '', query] = (reply.request.raw.url ?? '').split('?', 2)
  const parameters = new URLSearchParams(query)
  parameters.delete('timestamp')
  parameters.set('offset', String(nextOffset))
  reply.header('link', `<${path.replaceAll('>', '%3E')}?${parameters}>; rel="next"`)
}

/** The type that a read is answered with. @throws RequestError `not_acceptable` */
export function batchType (accept: string | undefined): typeof JSON_TYPE | typeof NDJSON_TYPE {
  const type = negotiate(accept, [JSON_TYPE, NDJSON_TYPE])
  if (type === undefined) {
    throw new RequestError('not_acceptable', `a read is answered as ${JSON_TYPE} or ` +
    `${NDJSON_TYPE}`)
  }
  return type
}
