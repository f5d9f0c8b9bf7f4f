import { Type } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { AccessError } from '../../access/access-error.ts'
import { byName } from '../../api/by-name.ts'
import { exactInteger, exactIntegerSchema } from '../../api/exact-integer.ts'
import { PublishFailureSchema } from '../../api/publish-failure.ts'
import { extensionsOf, problemCodeOf, RequestError, toProblemAnswer } from '../../api/problems.ts'
import { StreamsError, type PublishFailure, type PublishResult } from '../../streams/index.ts'

const confirmed = Type.Integer({ minimum: 0, description: 'The number of messages that the broker has stored.' })
const duplicates = Type.Integer({
  minimum: 0,
  description:
    'The number of messages not stored because the broker has their publishing id or a later one; 0 without a ' +
    'publisher name.'
})
const lastPublishingId = Type.Optional(exactIntegerSchema(
  'With a publisher name: its last publishing id on the broker, after this request. When there are only duplicates, ' +
  'it says how far behind the request was.'
))

const partitions = Type.Optional(Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
  description: 'To a super stream: how many messages each partition has stored, of those that got any.',
  examples: [{ 'orders-0': 1, 'orders-2': 1 }]
}))

/** The answer when all messages are stored. */
export const PublishedSchema =
  Type.Object({ confirmed, duplicates, lastPublishingId, partitions }, { $id: 'Published' })

/** The answer when some messages are not. */
export const PartlyPublishedSchema = Type.Object(
  {
    confirmed,
    duplicates,
    lastPublishingId,
    partitions,
    results: Type.Array(byName(PublishFailureSchema), {
      description: 'The messages that did not succeed, in the order of the request.'
    })
  },
  { $id: 'PartlyPublished' }
)

/** Answers with the outcome: all messages stored, some, or none. */
export async function sendPublished (reply: FastifyReply, result: PublishResult): Promise<FastifyReply> {
  const { confirmed, duplicates, failures, doubted } = result
  if (doubted !== undefined) throw withOutcome(doubted.error, result)
  const [first] = failures
  if (first === undefined) {
    return await reply.send({ confirmed, duplicates, ...lastIdOf(result), ...partitionsOf(result) })
  }
  if (confirmed + duplicates === 0 && failures.every(({ error }) => error.code === first.error.code)) {
    throw new RequestError(problemCodeOf(first.error.code), first.error.message, {
      retryable: first.error.retryable,
      sideEffects: failures.some(isUnknown) ? 'possible' : 'none',
      extensions: extensionsOf(first.error),
      cause: first.error
    })
  }
  return await reply.code(207).send({
    confirmed,
    duplicates,
    ...lastIdOf(result),
    ...partitionsOf(result),
    results: failures.map(toResult)
  })
}

/** An error that ended a publish, with the outcome of the messages before it. */
export function withOutcome (error: unknown, result: PublishResult): unknown {
  const { confirmed, duplicates, failures, doubted } = result
  const unknown = doubted?.count ?? 0
  if (confirmed + duplicates + failures.length + unknown === 0) return error
  if (!(error instanceof RequestError || error instanceof StreamsError || error instanceof AccessError)) return error
  const {
    problem: { type, title, status, detail, code, retryable, sideEffects, requestId, errors, ...extensions }
  } = toProblemAnswer(error, '')
  const hasEffects = confirmed + unknown > 0 || failures.some(isUnknown) || sideEffects === 'possible'
  const published = {
    confirmed,
    duplicates,
    ...(unknown > 0 && { unknown }),
    ...lastIdOf(result),
    ...(failures.length > 0 && { results: failures.map(toResult) })
  }
  return new RequestError(code, detail, {
    ...(errors && { errors }),
    retryable,
    sideEffects: hasEffects ? 'possible' : 'none',
    extensions: { ...extensions, published },
    // A refusal has its reason for the audit log.
    cause: error instanceof AccessError ? error : error.cause
  })
}

function lastIdOf ({ lastPublishingId }: PublishResult): { lastPublishingId?: number | string } {
  return lastPublishingId === undefined ? {} : { lastPublishingId: exactInteger(lastPublishingId) }
}

function partitionsOf ({ partitions }: PublishResult): Pick<PublishResult, 'partitions'> {
  return partitions === undefined ? {} : { partitions }
}

function isUnknown ({ status }: PublishFailure): boolean {
  return status === 'unknown'
}

function toResult ({ index, status, error }: PublishFailure) {
  return { index, status, code: problemCodeOf(error.code) }
}
