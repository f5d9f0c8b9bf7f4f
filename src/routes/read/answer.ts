import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { negotiate } from '../../http/accept.ts'
import type { BufferPool } from '../../text/buffer-pool.ts'
import { clientSignal, whenClosed } from '../../http/request-scope.ts'
import { urlParts } from '../../http/url-parts.ts'
import { RequestError } from '../../api/problems.ts'
import { StreamsError, type ConsumerBatch, type ReadBatch, type ReadMessage } from '../../streams/index.ts'
import {
  ANSWER_FORMATS, batchSlices, isInert, LINES_TYPE, mediaTypeOf, messageSlices, rawBody, type AnswerFormat,
  type ReadEncoding
} from '../../messages/index.ts'
import { LIVE_CONTENT, MERGED_LIVE_CONTENT } from './live-content.ts'
import { encodeBatch, encodeLines, encodeSlices, Pace, type BatchText } from './encode.ts'

const JSON_TYPE = 'application/json'

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
  return response(headers, [...ANSWER_FORMATS, LIVE_CONTENT])
}

/** The answer to a read of a consumer, as the document shows it. */
export function consumerBatchResponse () {
  return response(CONSUMER_HEADERS, [
    ...ANSWER_FORMATS.map((format) => ({ ...format, ...format.forConsumer })), LIVE_CONTENT
  ])
}

/** The answer to a read of a super stream, as the document shows it. */
export function mergedBatchResponse (headers: Record<string, unknown>) {
  return response(headers, [
    ...ANSWER_FORMATS.map(({ mediaType, merged }) => ({ mediaType, ...merged })), MERGED_LIVE_CONTENT
  ])
}

function response (
  headers: Record<string, unknown>, formats: ReadonlyArray<Pick<AnswerFormat, 'mediaType' | 'schema' | 'example'>>
) {
  return {
    description: 'Messages; none at the end of the stream.',
    headers,
    content: Object.fromEntries(
      formats.map(({ mediaType, schema, example }) => [mediaType, { schema, example }])
    )
  }
}

/** How a read wants its messages. */
export interface Wanted {
  /** The encoding of bodies. */
  readonly body: ReadEncoding
  readonly maxBytes: number
}

/** Answers with a batch in a format that the client accepts, and gives its memory back afterwards. */
export async function sendBatch (
  reply: FastifyReply, batch: ReadBatch, format: AnswerFormat, wanted: Wanted, setLink?: () => void
): Promise<FastifyReply> {
  const blocks = await encodeAnswer(reply, batch, format, wanted)
  // Only now: a batch may end earlier than it was read.
  setReadHeaders(reply, batch)
  setLink?.()
  return await sendBlocks(reply.type(format.mediaType), blocks)
}

/**
 * Answers a consumer with a batch.
 *
 * @param encoded the answer, when it is made already
 */
export async function sendConsumerBatch (
  reply: FastifyReply, batch: ConsumerBatch, format: AnswerFormat, wanted: Wanted, encoded?: readonly Buffer[]
): Promise<FastifyReply> {
  const blocks = encoded ?? await encodeAnswer(reply, batch, format, wanted)
  setReadHeaders(reply, batch)
  const commitOffset = batch.commitOffset()
  if (commitOffset !== null) reply.header('stream-commit-offset', String(commitOffset))
  return await sendBlocks(reply.type(format.mediaType), blocks)
}

/** Makes the answer. Its memory is given back when the request is over. The batch may end earlier afterwards. */
export async function encodeAnswer (
  reply: FastifyReply, batch: ReadBatch, format: AnswerFormat, wanted: Wanted
): Promise<readonly Buffer[]> {
  whenClosed(reply, () => batch.release())
  const { frame } = format
  const slicesOf: BatchText<ReadBatch>['slicesOf'] = (pieces) => batchSlices(pieces, wanted.body, frame.between)
  return await encodeBatch(batch, { frame, slicesOf }, wanted.maxBytes, paceOf(reply, batch))
}

/** Answers with one message as JSON. */
export async function sendMessage (
  reply: FastifyReply, message: ReadMessage, batch: ReadBatch, encoding: ReadEncoding
): Promise<FastifyReply> {
  whenClosed(reply, () => batch.release())
  const slices = messageSlices(message, encoding)
  return await sendBlocks(reply.type(JSON_TYPE), await encodeSlices(batch, slices, paceOf(reply, batch)))
}

/** Answers with the body of one message. */
export async function sendRaw (reply: FastifyReply, message: ReadMessage, batch: ReadBatch): Promise<FastifyReply> {
  whenClosed(reply, () => batch.release())
  const pace = paceOf(reply, batch)
  await pace.begin()
  const { contentType, body, trace } = rawBody(message)
  reply.type(contentType)
  if (trace !== undefined) reply.header('app-property-traceparent', trace.point.text)
  if (trace?.state !== undefined) reply.header('app-property-tracestate', trace.state)
  // A browser saves it instead of running it.
  if (!isInert(mediaTypeOf(contentType))) reply.header('content-disposition', 'attachment')
  return body instanceof Uint8Array
    ? await reply.send(body)
    : await sendBlocks(reply, await encodeSlices(batch, body, pace))
}

/** How work on a batch is spread: every answer of messages begins with it. */
export function paceOf (
  reply: FastifyReply, batch: Pick<ReadBatch, 'storedBytes' | 'isReleased' | 'pieces' | 'count'>
): Pace {
  reply.request.onReceived?.(batch)
  return new Pace(
    (bytes) => reply.server.turn(bytes),
    batch.storedBytes,
    () => {
      if (batch.isReleased) clientSignal(reply).throwIfAborted()
    }
  )
}

/** Answers with bytes. */
export async function sendBlocks (reply: FastifyReply, blocks: readonly Buffer[]): Promise<FastifyReply> {
  const [only = Buffer.alloc(0), ...others] = blocks
  if (others.length === 0) return await reply.send(only)
  let length = 0
  for (const block of blocks) length += block.length
  return await reply.header('content-length', length).send(Readable.from(blocks))
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
  const { bytes, stoppedAt, release } = await encodeLines(batch, pool, paceOf(reply, batch))
  // The memory of an answer that was cut off is left to the garbage collector.
  whenClosed(reply, (isDelivered) => { if (isDelivered) release() })
  if (stoppedAt !== undefined && bytes.length === 0) throw notALine(stoppedAt)
  const end = stoppedAt === undefined ? batch : { nextOffset: stoppedAt, endOfStream: false, gap: batch.gap }
  setReadHeaders(reply, end)
  setLink(end.nextOffset)
  batch.encoded(bytes.buffer.byteLength)
  return await reply.type(LINES_TYPE).send(bytes)
}

/** The error for a body that is not a line. */
export function notALine (offset: number): StreamsError {
  return new StreamsError('body_not_a_line', `the message at offset ${offset} has a line feed in its body`, {
    details: { offset }
  })
}

/** Sets what an answer says of a batch beside its messages. */
export function setReadHeaders (
  reply: FastifyReply,
  { nextOffset, endOfStream, gap }: Pick<ReadBatch, 'nextOffset' | 'endOfStream' | 'gap'>
): void {
  reply.header('stream-next-offset', String(nextOffset)).header('stream-end-of-stream', String(endOfStream))
  if (gap !== undefined) reply.header('stream-gap', `${gap.from}-${gap.to}`)
}

// A request line may hold a whole URL.
const ORIGIN = /^https?:\/\/[^/]*/i

/** Sets the link to the next read: the same one, from there on. */
export function setNextLink (reply: FastifyReply, value: number | string, name = 'offset'): void {
  const { path, query } = urlParts(reply.request.raw.url)
  const parameters = new URLSearchParams(query)
  parameters.delete('timestamp')
  if (name !== 'offset') parameters.delete('offset')
  parameters.set(name, String(value))
  const prefix = reply.server.publicPrefix(reply.request)
  reply.header('link', `<${prefix}${path.replace(ORIGIN, '').replaceAll('>', '%3E')}?${parameters}>; rel="next"`)
}

const ANSWER_TYPES = ANSWER_FORMATS.map(({ mediaType }) => mediaType)

/** The format that a read is answered in. @throws RequestError `not_acceptable` */
export function answerFormat (accept: string | undefined): AnswerFormat {
  const type = negotiate(accept, ANSWER_TYPES)
  const format = ANSWER_FORMATS.find(({ mediaType }) => mediaType === type)
  if (format !== undefined) return format
  throw new RequestError('not_acceptable', `a read is answered as ${ANSWER_TYPES.join(' or ')}`)
}
