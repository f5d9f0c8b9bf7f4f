import { Type, type TSchema } from '@sinclair/typebox'
import type { PushDetailName } from '../push/push-error.ts'
import type { DetailName } from '../streams/index.ts'
import { byName } from './by-name.ts'
import { exactIntegerSchema } from './exact-integer.ts'
import { storedNumberOrNull } from './stored-number.ts'
import { PublishFailureSchema } from './publish-failure.ts'

const integer = (description: string) => Type.Integer({ description })

const integerOrNull = (description: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], description })

// Callers see this one in `errors` instead: see `withPointer` in plugins/errors.ts.
type UnseenDetail = 'argument'

/**
 * The members that some problems have beyond those that every problem has: the details of the domain's errors, and
 * what became of the messages of a publish. One without its schema does not compile.
 */
export const PROBLEM_MEMBERS = {
  firstOffset: integer('The first offset that the stream still has.'),
  lastOffset: integerOrNull('The offset of the last message.'),
  nextOffset: integerOrNull(
    'The offset after the last one of the stream. Of a subscription: the message that is delivered next; null when ' +
    'it is not known.'
  ),
  version: integerOrNull('The version that the subscription has; null when the subscription does not exist.'),
  storedOffset: storedNumberOrNull('The offset stored for the consumer; null when none is stored.'),
  lastPublishingId: exactIntegerSchema('The last publishing id that the broker has stored for the publisher.'),
  partitions: Type.Array(Type.String(), { description: 'The partitions of the super stream of this name.' }),
  partition: Type.String({ description: 'The partition of the super stream that the problem is about.' }),
  superStream: Type.Unsafe<string | true>({
    type: ['string', 'boolean'],
    description: 'The super stream that has the stream as a partition; true when a super stream has this name.'
  }),
  offset: integer('The offset of the message that the problem is about.'),
  index: integer('Which message of the request the problem is about, from 0.'),
  limit: integer('The limit that was reached.'),
  limitBytes: integer('The same, in bytes.'),
  published: Type.Object(
    {
      confirmed: Type.Integer({ minimum: 0 }),
      duplicates: Type.Integer({ minimum: 0 }),
      unknown: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Messages that the broker confirmed but may not have stored.' })
      ),
      lastPublishingId: Type.Optional(
        exactIntegerSchema('The last publishing id that the broker had for the publisher afterwards.')
      ),
      results: Type.Optional(Type.Array(byName(PublishFailureSchema)))
    },
    {
      title: 'PublishOutcome',
      description: 'What became of the messages, or of those before the one that ended a streamed publish.'
    }
  )
} as const satisfies Record<Exclude<DetailName, UnseenDetail> | PushDetailName | 'published', TSchema>
