import { Type } from '@sinclair/typebox'
import { STREAM_ARGUMENTS } from '../streams/index.ts'
import { offset, SourceState, strictObject } from './schemas.ts'

const MAX_LIST = 1000

/** Which page of names is wanted. */
export const NameQuery = strictObject({
  prefix: Type.Optional(Type.String({ description: 'Only names that begin with this text.' })),
  limit: Type.Integer({ minimum: 1, maximum: MAX_LIST, default: 100, description: 'How many names at most.' }),
  cursor: Type.Optional(Type.String({ minLength: 1, description: '`nextCursor` of the previous page.' }))
})

const { maxLengthBytes, maxAge, maxSegmentSizeBytes, initialClusterSize, filterSizeBytes } = STREAM_ARGUMENTS

/** What a stream, or each partition of a super stream, is created with. */
export const STREAM_ARGUMENT_PROPERTIES = {
  maxLengthBytes: Type.Optional(
    Type.Integer({
      ...maxLengthBytes.bounds,
      description: 'When the stream is larger, its oldest segments are removed.'
    })
  ),
  maxAge: Type.Optional(
    Type.String({
      ...maxAge.bounds,
      description: 'Segments older than this are removed: a number and Y, M, D, h, m or s.',
      examples: ['7D']
    })
  ),
  maxSegmentSizeBytes: Type.Optional(
    Type.Integer({
      ...maxSegmentSizeBytes.bounds,
      description: 'Size of a segment; retention removes whole segments.'
    })
  ),
  initialClusterSize: Type.Optional(
    Type.Integer({
      ...initialClusterSize.bounds,
      description: 'The number of nodes with a copy of the stream; by default all nodes.'
    })
  ),
  leaderLocator: Type.Optional(
    Type.Union([Type.Literal('client-local'), Type.Literal('balanced')], { description: 'Where the leader goes.' })
  ),
  filterSizeBytes: Type.Optional(
    Type.Integer({ ...filterSizeBytes.bounds, description: 'Size of the filter of each chunk.' })
  )
}

/** What a stream, or a partition, is described by. */
export const STREAM_DESCRIPTION_PROPERTIES = {
  firstOffset: offset('The first offset that the stream still has.'),
  nextOffset: offset(
    'The offset after the last one. The next message gets this offset or a later one. An empty stream has ' +
    '`firstOffset` = `nextOffset`.'
  ),
  leader: Type.Union([Type.String(), Type.Null()], {
    description: '`host:port` as the broker advertises it; null while the stream has no leader.'
  }),
  replicas: Type.Array(Type.String(), { description: 'The other nodes with a copy, each as `host:port`.' }),
  arguments: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description: 'The arguments that the stream was created with. Only with the management API.'
    })
  ),
  segments: Type.Optional(
    Type.Integer({
      minimum: 0,
      description: 'The number of segments. Only with the management API, from some seconds after the stream was ' +
        'created.'
    })
  ),
  sources: Type.Object({ management: SourceState }, {
    title: 'StreamSources',
    description: 'Which sources the answer is made from.'
  })
}
