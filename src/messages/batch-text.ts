import type { ReadBatch } from '../streams/index.ts'
import { batchToJsonText } from './batch-json.ts'
import type { ReadEncoding } from './read-json.ts'

/** What an answer says of a batch. */
export type BatchContent = Pick<ReadBatch, 'pieces' | 'nextOffset' | 'endOfStream' | 'gap'> & {
  /** Only for a consumer. */
  readonly commitOffset?: number | null
}

// Joined by hand, not serialised by a schema: a batch has thousands of messages, each of which is text already.

/** The batch as one JSON object: the messages, and where the next read continues. */
export function batchAsJson ({ pieces, nextOffset, endOfStream, gap, commitOffset }: BatchContent, encoding: ReadEncoding): string {
  const commitText = commitOffset === undefined ? '' : `,"commitOffset":${commitOffset}`
  const gapText = gap === undefined ? '' : `,"gap":${JSON.stringify(gap)}`
  const texts = batchToJsonText(pieces, encoding, ',')
  return `{"messages":[${texts}],"nextOffset":${nextOffset}${commitText},"endOfStream":${endOfStream}${gapText}}`
}

/** One message a line. Where the next read continues is not in it. */
export function batchAsNdjson ({ pieces }: BatchContent, encoding: ReadEncoding): string {
  const texts = batchToJsonText(pieces, encoding, '\n')
  return texts === '' ? '' : `${texts}\n`
}
