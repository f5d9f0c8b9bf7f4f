import type { FastifyReply } from 'fastify'
import { problemCodeOf } from '../../api/problems.ts'
import { whenClosed } from '../../http/request-scope.ts'
import { batchSlices, LINES_TYPE, type AnswerFormat, type MergedEnd } from '../../messages/index.ts'
import type { MergedBatch, ReadPiece } from '../../streams/index.ts'
import type { BufferPool } from '../../text/buffer-pool.ts'
import { notALine, paceOf, sendBlocks, type Wanted } from './answer.ts'
import { encodeBatch, encodeLines } from './encode.ts'

export const MERGED_HEADERS = {
  'stream-next-cursor': { type: 'string', description: '`nextCursor`.' },
  'stream-end-of-stream': { type: 'boolean', description: '`endOfStream`.' },
  'stream-gaps': {
    type: 'string',
    description: '`gaps`, as `partition=from-to`, separated by commas; only when messages are missing. Names are ' +
      'percent-encoded; what is null is empty.'
  },
  'stream-unavailable': {
    type: 'string',
    description: '`unavailable`, as `partition=code`, separated by commas; only when there are any. Names are ' +
      'percent-encoded.'
  }
} as const

/**
 * Answers with messages of several partitions, and gives their memory back afterwards.
 *
 * @param more `encoded`: the answer, when it is made already; `setLink` is called when it is known where it ends
 */
export async function sendMerged (
  reply: FastifyReply, batch: MergedBatch, format: AnswerFormat, wanted: Wanted,
  more: { readonly encoded?: readonly Buffer[] | undefined, readonly setLink?: () => void } = {}
): Promise<FastifyReply> {
  const blocks = more.encoded ?? await encodeMerged(reply, batch, format, wanted)
  // Only now: a batch may end earlier than it was read.
  setMergedHeaders(reply, endOf(batch))
  more.setLink?.()
  return await sendBlocks(reply.type(format.mediaType), blocks)
}

/** Makes the answer. Its memory is given back when the request is over. The batch may end earlier afterwards. */
export async function encodeMerged (
  reply: FastifyReply, batch: MergedBatch, { merged: { frame } }: AnswerFormat, { body, maxBytes }: Wanted
): Promise<readonly Buffer[]> {
  whenClosed(reply, () => { batch.release() })
  const text = {
    frame: {
      ...frame,
      after: (end: MergedBatch, isEmpty: boolean) => frame.after(endOf(end), isEmpty)
    },
    slicesOf: (pieces: readonly ReadPiece[]) =>
      batchSlices(pieces, body, frame.between, undefined, (piece) => openingOf(batch.partitionOf(piece)))
  }
  return await encodeBatch(batch, text, maxBytes, paceOf(reply, batch))
}

/**
 * Answers with bodies, one a line. The batch ends before a body that has a line feed.
 *
 * @throws StreamsError `body_not_a_line` when the first body has a line feed
 */
export async function sendMergedLines (
  reply: FastifyReply, batch: MergedBatch, pool: BufferPool, setLink: () => void
): Promise<FastifyReply> {
  whenClosed(reply, () => { batch.release() })
  const { bytes, stoppedAt, stoppedIn, release } = await encodeLines(batch, pool, paceOf(reply, batch))
  // The memory of an answer that was cut off is left to the garbage collector.
  whenClosed(reply, (isDelivered) => { if (isDelivered) release() })
  if (stoppedAt !== undefined) {
    if (bytes.length === 0) throw notALine(stoppedAt).inPartition(batch.partitionOf(stoppedIn))
    batch.endBefore(stoppedAt, stoppedIn)
  }
  setMergedHeaders(reply, endOf(batch))
  setLink()
  batch.encoded(bytes.buffer.byteLength)
  return await reply.type(LINES_TYPE).send(bytes)
}

const openings = new Map<string, string>()
const MAX_OPENINGS = 1000

// Partitions take turns with every few messages, and their names have to be escaped.
function openingOf (partition: string): string {
  const known = openings.get(partition)
  if (known !== undefined) return known
  if (openings.size >= MAX_OPENINGS) openings.clear()
  const opening = `{"partition":${JSON.stringify(partition)},`
  openings.set(partition, opening)
  return opening
}

/** What an answer says of a batch. */
export function endOf ({ nextCursor, endOfStream, gaps, unavailable }: MergedBatch): MergedEnd {
  return {
    nextCursor,
    endOfStream,
    gaps,
    unavailable: unavailable.map(({ partition, error }) =>
      ({ partition, code: problemCodeOf(error.code), detail: error.message }))
  }
}

/** Sets what an answer says of a batch beside its messages. */
export function setMergedHeaders (reply: FastifyReply, end: MergedEnd): void {
  const { nextCursor, endOfStream, gaps, unavailable } = end
  reply.header('stream-next-cursor', nextCursor).header('stream-end-of-stream', String(endOfStream))
  if (gaps.length > 0) {
    reply.header('stream-gaps', gaps.map(({ partition, from, to }) =>
      `${encodeURIComponent(partition ?? '')}=${from}-${to ?? ''}`).join(', '))
  }
  if (unavailable.length > 0) {
    reply.header('stream-unavailable', unavailable.map(({ partition, code }) =>
      `${encodeURIComponent(partition)}=${code}`).join(', '))
  }
}
