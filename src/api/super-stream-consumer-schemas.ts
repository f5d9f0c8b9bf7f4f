import { Type, type TSchema } from '@sinclair/typebox'
import { consumerInfo, consumerPlace, ResetTarget } from './consumer-schemas.ts'
import { offset, Sources, strictObject } from './schemas.ts'
import { storedNumber, storedNumberOrNull } from './stored-number.ts'

const MAX_PARTITIONS = 1000

const partition = Type.String({ description: 'The name of the partition.' })
const summedLag = storedNumberOrNull('The sum over the partitions; null when that of one is not known.')

/** By the name of a partition. */
function byPartition<Value> (value: TSchema, description: string) {
  return Type.Unsafe<Record<string, Value>>({
    type: 'object', additionalProperties: value, minProperties: 1, maxProperties: MAX_PARTITIONS, description
  })
}

/** Where a consumer stands in each partition. */
export const SuperStreamOffsets = Type.Object(
  {
    partitions: Type.Array(Type.Object(
      {
        partition,
        ...consumerPlace,
        lag: storedNumberOrNull(
          'The number of offsets from `nextOffset` to the last message; when nothing is stored, from the first ' +
          'message. Null when it is not known, as `state` says.'
        ),
        firstOffset: offset('The first offset that the partition still has.'),
        lastOffset: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
          description: 'The offset of the last message; null when the partition has no message.'
        })
      },
      { title: 'PartitionOffset' }
    )),
    lag: summedLag
  },
  { $id: 'SuperStreamOffsets' }
)

/** What a commit or a reset has left in each partition. */
export const StoredOffsets = Type.Object(
  {
    partitions: Type.Array(Type.Object(
      {
        partition,
        storedOffset: Type.Optional(storedNumber('The offset of the last message processed.')),
        nextOffset: Type.Optional(storedNumber('Where reading resumes.')),
        code: Type.Optional(Type.String({ description: 'Why it is not known to be stored: the code of the problem.' })),
        detail: Type.Optional(Type.String())
      },
      { title: 'PartitionStored' }
    ))
  },
  { $id: 'StoredOffsets' }
)

/** The body of a commit. */
export const CommitOffsets = strictObject(
  {
    offsets: byPartition<number>(
      offset('Offset of the last message processed.'), 'The offset of the last message processed, by partition.'
    ),
    expected: Type.Optional(byPartition<number | null>(
      { ...offset(''), type: ['integer', 'null'] },
      'Refuse with 412 unless these offsets are stored now; with null, unless no offset is stored.'
    ))
  },
  { title: 'OffsetsCommit', examples: [{ offsets: { 'orders-2': 0 } }] }
)

/** The body of a reset. */
export const ResetOffsets = strictObject(
  {
    to: Type.Optional(ResetTarget),
    partitions: Type.Optional(byPartition<typeof ResetTarget.static>(
      ResetTarget, 'In place of `to`: some partitions, each with a position of its own.'
    ))
  },
  {
    title: 'OffsetsReset',
    description: 'Either `to`, for all partitions, or `partitions`.',
    examples: [{ to: 'first' }]
  }
)

/** Every consumer of a super stream. */
export const SuperStreamConsumerList = Type.Object(
  {
    consumers: Type.Array(Type.Object(
      {
        name: Type.String(),
        lag: summedLag,
        partitions: Type.Array(Type.Object({ partition, ...consumerInfo }, { title: 'PartitionConsumer' }), {
          description: 'The partitions in which the consumer is known.'
        })
      },
      { title: 'SuperStreamConsumer' }
    )),
    sources: Sources
  },
  { $id: 'SuperStreamConsumerList' }
)
