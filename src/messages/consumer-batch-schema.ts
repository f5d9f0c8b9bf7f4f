import { Type } from '@sinclair/typebox'
import { BatchSchema } from './schemas.ts'

const { messages, nextOffset, endOfStream, gap } = BatchSchema.properties

const COMMIT_OFFSET =
  'The value to pass as `commit` with the next read, or to PUT, when all messages of the answer are processed. It ' +
  'also covers records of the broker between them. Null when it would move nothing: there is no message, or ' +
  '`autoCommit` has stored it already.'

/** The answer to a read of a consumer. */
export const ConsumerBatchSchema = Type.Object(
  {
    messages,
    nextOffset,
    commitOffset: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], { description: COMMIT_OFFSET }),
    endOfStream,
    gap
  },
  { $id: 'ConsumerBatch' }
)
