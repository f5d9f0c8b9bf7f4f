import type { FastifyReply } from 'fastify'
import { negotiate } from '../../http/accept.ts'
import type { BufferPool } from '../../text/buffer-pool.ts'
import { whenClosed } from '../../http/request-scope.ts'
import { RequestError } from '../../api/problems.ts'
import { StreamsError, type ReadBatch, type ReadMessage } from '../../streams/index.ts'
import {
  ANSWER_FORMATS, LINES_TYPE, linesOf, messageToJsonText, type AnswerFormat, type ReadEncoding
} from '../../messages/index.ts'

export const READ_HEADERS = {
  'stream-next-offset': { type: 'integer', description: '`nextOffset`.' },
  'stream-end-of-stream': { type: 'boolean', description: '`endOfStream`.' },
  'stream-gap': { type: 'string', description: '`gap`, as `from-to`; only when messages are missing.' }
} as const

/** Of the answers to a consumer. */
export const CONSUMER_HEADERS = {
  ...READ_HEADERS,
  'stream-commit-offset': {
    type: 'integer',
    description: '`commitOffset`. It is missing where `commitOffset` is null.'
  }
} as const

export const LINK_HEADER = { link: { type: 'string', description: 'The next read, with `rel="next"`.' } } as const

/** The answer to a read, as the document shows it. */
export function batchResponse (headers: Record<string, unknown>) {
  return response(headers, ANSWER_FORMATS)
}

/** The answer to a read of a consumer, as the document shows it. */
export function consumerBatchResponse () {
  return response(CONSUMER_HEADERS, ANSWER_FORMATS.map((format) => ({ ...format, ...format.forConsumer })))
}

function response (headers: Record<string, unknown>, formats: readonly AnswerFormat[]) {
  return {
    description: 'Messages; none at the end of the stream.',
    headers,
    content: Object.fromEntries(
      formats.map(({ mediaType, schema, example }) => [mediaType, { schema, example }])
    )
  }
}

type AnswerBatch = ReadBatch & { readonly commitOffset?: number | null }

/** Answers with a batch in a format that the client accepts, and gives its memory back afterwards. */
export async function sendBatch (
  reply: FastifyReply,
  batch: AnswerBatch,
  format: AnswerFormat,
  encoding: ReadEncoding
): Promise<FastifyReply> {
  whenClosed(reply, () => batch.release())
  await reply.server.turn(batch.storedBytes)
  setReadHeaders(reply, batch)
  const { commitOffset } = batch
  if (typeof commitOffset === 'number') reply.header('stream-commit-offset', String(commitOffset))
  // A buffer, because a text would be held a second time, as bytes, until a slow client has received them.
  const body = Buffer.from(format.encode(batch, encoding))
  batch.encoded(body.length)
  return await reply.type(format.mediaType).send(body)
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
  return await reply.type('application/json').send(body)
}

/**
 * Answers with bodies, one a line. A body with a line feed would look like two lines, so the batch ends before it.
 *
 * @throws StreamsError `body_not_a_line` when the first body has a line feed
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
  // The memory of an answer that was cut off is left to the garbage collector.
  whenClosed(reply, (isDelivered) => { if (isDelivered) release() })
  if (stoppedAt !== undefined && bytes.length === 0) throw notALine(stoppedAt)
  const end = stoppedAt === undefined ? batch : { nextOffset: stoppedAt, endOfStream: false, gap: batch.gap }
  setReadHeaders(reply, end)
  setLink(end.nextOffset)
  batch.encoded(bytes.buffer.byteLength)
  return await reply.type(LINES_TYPE).send(bytes)
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

/** Sets the link to the next read: the same one, from `nextOffset` on. */
export function setNextLink (reply: FastifyReply, nextOffset: number): void {
  const [path = '', query] = (reply.request.raw.url ?? '').split('?', 2)
  const parameters = new URLSearchParams(query)
  parameters.delete('timestamp')
  parameters.set('offset', String(nextOffset))
  reply.header('link', `<${path.replaceAll('>', '%3E')}?${parameters}>; rel="next"`)
}

const ANSWER_TYPES = ANSWER_FORMATS.map(({ mediaType }) => mediaType)

/** The format that a read is answered in. @throws RequestError `not_acceptable` */
export function answerFormat (accept: string | undefined): AnswerFormat {
  const type = negotiate(accept, ANSWER_TYPES)
  const format = ANSWER_FORMATS.find(({ mediaType }) => mediaType === type)
  if (format !== undefined) return format
  throw new RequestError('not_acceptable', `a read is answered as ${ANSWER_TYPES.join(' or ')}`)
}
