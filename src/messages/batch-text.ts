import type { PartitionGap, ReadBatch } from '../streams/index.ts'

/** What an answer says of a batch beside its messages. */
export type BatchEnd = Pick<ReadBatch, 'nextOffset' | 'endOfStream' | 'gap'> & {
  /** Only for a consumer. */
  commitOffset?: () => number | null
}

/**
 * How the texts of messages are joined to a batch. Joined by hand, not serialised by a schema: a batch has thousands of
 * messages, each of which is text already.
 */
export interface BatchFrame<End = BatchEnd> {
  readonly before: string
  readonly between: string
  readonly after: (end: End, isEmpty: boolean) => string
}

/** The batch as one JSON object: the messages, and where the next read continues. */
export const JSON_FRAME: BatchFrame = {
  before: '{"messages":[',
  between: ',',
  after (end) {
    const { nextOffset, endOfStream, gap } = end
    const commitText = end.commitOffset === undefined ? '' : `,"commitOffset":${end.commitOffset()}`
    const gapText = gap === undefined ? '' : `,"gap":${JSON.stringify(gap)}`
    return `],"nextOffset":${nextOffset}${commitText},"endOfStream":${endOfStream}${gapText}}`
  }
}

/** What an answer says of a batch of a super stream beside its messages. */
export interface MergedEnd {
  readonly nextCursor: string
  readonly endOfStream: boolean
  readonly gaps: readonly PartitionGap[]
  readonly unavailable: ReadonlyArray<{ readonly partition: string, readonly code: string, readonly detail: string }>
}

/** As `JSON_FRAME`, for a super stream. */
export const MERGED_JSON_FRAME: BatchFrame<MergedEnd> = {
  before: JSON_FRAME.before,
  between: JSON_FRAME.between,
  after: ({ nextCursor, endOfStream, gaps, unavailable }) =>
    `],${JSON.stringify({ nextCursor, endOfStream, gaps, unavailable }).slice(1)}`
}

/** One message a line. Where the next read continues is not in it. */
export const NDJSON_FRAME: BatchFrame<unknown> = {
  before: '',
  between: '\n',
  after: (_, isEmpty) => isEmpty ? '' : '\n'
}
