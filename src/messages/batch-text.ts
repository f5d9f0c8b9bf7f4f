import type { ReadBatch } from '../streams/index.ts'

/** What an answer says of a batch beside its messages. */
export type BatchEnd = Pick<ReadBatch, 'nextOffset' | 'endOfStream' | 'gap'> & {
  /** Only for a consumer. */
  commitOffset?: () => number | null
}

/**
 * How the texts of messages are joined to a batch. Joined by hand, not serialised by a schema: a batch has thousands of
 * messages, each of which is text already.
 */
export interface BatchFrame {
  readonly before: string
  readonly between: string
  readonly after: (end: BatchEnd, isEmpty: boolean) => string
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

/** One message a line. Where the next read continues is not in it. */
export const NDJSON_FRAME: BatchFrame = {
  before: '',
  between: '\n',
  after: (_, isEmpty) => isEmpty ? '' : '\n'
}
