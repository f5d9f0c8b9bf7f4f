import { Type } from '@sinclair/typebox'
import { liveConnection } from './live-connection.ts'
import { offset, Sources, strictObject } from './schemas.ts'
import { storedNumber, storedNumberOrNull } from './stored-number.ts'

const storedOffset = storedNumber('The offset of the last message processed.')
const nextOffset = storedNumber(
  'Where reading resumes: the stored offset + 1. After a stored 0 it is 0, unless this process was told within the ' +
  'last minute that message 0 is processed. When only a record of the broker follows message 0, 1 is stored in place ' +
  'of 0.'
)
const lagDescription =
  'The number of offsets from `nextOffset` to the last message. Fewer messages may be left to deliver, because ' +
  'records of the broker take offsets too. 0 when none is left; null when it is not known, as `state` says.'
const STATES = [Type.Literal('ok'), Type.Literal('beyond_end')]
const stateDescription =
  '`beyond_end`: the stored offset is beyond the end of the stream, where other clients can store it. Reads are ' +
  'refused until the consumer is reset.'

const seenAt = (description: string) => Type.Union([Type.String(), Type.Null()], {
  description: `${description}: ISO 8601, UTC; null when it does not know. Other instances may know of later ones.`
})

/** Where a consumer stands, when nothing may be stored. */
export const consumerPlace = {
  storedOffset: storedNumberOrNull('The offset of the last message processed; null when no offset is stored.'),
  nextOffset: storedNumberOrNull('Where reading resumes; null when no offset is stored.'),
  state: Type.Union([...STATES, Type.Literal('nothing_stored')], { description: stateDescription }),
  lag: storedNumberOrNull(lagDescription)
}

/** What a list says of a consumer of a stream. */
export const consumerInfo = {
  ...consumerPlace,
  subscriptions: Type.Array(
    Type.Object({
      active: Type.Boolean(),
      ...liveConnection,
      offset: Type.Union([Type.Integer(), Type.Null()], {
        description: 'The first offset of the last chunk sent.'
      }),
      offsetLag: Type.Union([Type.Integer(), Type.Null()])
    }, { title: 'ConsumerSubscription' }),
    { description: 'Live subscriptions under this name, of any client.' }
  ),
  lastReadAt: seenAt('When the last read under this name began at this instance'),
  lastCommitAt: seenAt('When the last commit under this name was stored by this instance')
}

/** Every consumer of a stream. */
export const ConsumerList = Type.Object(
  {
    consumers: Type.Array(Type.Object({ name: Type.String(), ...consumerInfo }, { title: 'Consumer' })),
    sources: Sources
  },
  { $id: 'ConsumerList' }
)

/** Where a consumer stands. */
export const ConsumerOffset = Type.Object(
  {
    storedOffset,
    nextOffset,
    firstOffset: offset('The first offset that the stream still has.'),
    lastOffset: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: 'The offset of the last message; null when the stream has no message.'
    }),
    state: Type.Union([...STATES], { description: stateDescription }),
    lag: storedNumberOrNull(lagDescription)
  },
  { $id: 'ConsumerOffset' }
)

/** What is stored after a commit or a reset. */
export const Stored = Type.Object({ storedOffset, nextOffset }, { $id: 'StoredOffset' })

/** The body of a commit. */
export const Commit = strictObject(
  {
    offset: offset('Offset of the last message processed.'),
    expected: Type.Optional(
      Type.Unsafe<number | null>({
        ...offset('Refuse with 412 unless this offset is stored now; with null, unless no offset is stored.'),
        type: ['integer', 'null']
      })
    )
  },
  { title: 'OffsetCommit', examples: [{ offset: 0 }] }
)

/** The next message to be delivered. */
export const ResetTarget = Type.Union(
  [
    Type.Union([Type.Literal('first'), Type.Literal('last'), Type.Literal('next')]),
    strictObject({ offset: offset('Any offset up to the next one.') }),
    strictObject({ timestamp: Type.String({ format: 'timestamp', examples: ['2026-01-31T12:00:00.000Z'] }) })
  ],
  {
    description:
      'The next message to be delivered: "first", "last", "next", {"offset": 3}, or the first one stored at or ' +
      'after a time: {"timestamp": "2026-01-31T12:00:00.000Z"}.'
  }
)

/** The body of a reset. */
export const Reset = strictObject({ to: ResetTarget }, { title: 'OffsetReset', examples: [{ to: 'first' }] })
