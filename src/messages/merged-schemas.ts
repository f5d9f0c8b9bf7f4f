import { Type } from '@sinclair/typebox'
import { byName } from '../api/by-name.ts'
import { MessageRead } from './schemas.ts'

const Offset = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description })

/** A message in the answer to a read of a super stream. */
export const PartitionMessage = Type.Object(
  {
    partition: Type.String({ description: 'The partition that has the message.', examples: ['orders-0'] }),
    ...MessageRead.properties
  },
  {
    $id: 'PartitionMessage',
    additionalProperties: false,
    description: 'A message of a super stream as read. It can be posted again unchanged.'
  }
)

/** What every answer to a read of a super stream says beside its messages. */
const end = {
  nextCursor: Type.String({
    description: 'Where the next read continues in every partition, without missing a message: pass it as `cursor`.',
    examples: ['AQAZARoC0kfXlw']
  }),
  endOfStream: Type.Boolean({
    description: 'No readable message was left in any partition when the answer was made.'
  }),
  gaps: Type.Array(
    Type.Object(
      {
        partition: Type.Union([Type.String(), Type.Null()], {
          description: 'Null for a partition that is gone and whose name is too long for a cursor.'
        }),
        from: Offset('First missing offset.'),
        to: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
          description: 'Last missing offset. Null: the partition is gone, with all that it had from there on.'
        })
      },
      { title: 'PartitionGap' }
    ),
    { description: 'What retention removed before the delivered offsets, and partitions that are gone.' }
  ),
  unavailable: Type.Array(
    Type.Object(
      {
        partition: Type.String(),
        code: Type.String({ description: 'The code of the problem.' }),
        detail: Type.String()
      },
      { title: 'UnavailablePartition' }
    ),
    { description: 'Partitions that could not be read now. The cursor stays where it is in them.' }
  )
}

/** The answer to a read of a super stream. */
export const MergedBatchSchema = Type.Object(
  { messages: Type.Array(byName(PartitionMessage)), ...end },
  { $id: 'SuperStreamBatch', description: 'Messages of several partitions, and where the next read continues.' }
)
