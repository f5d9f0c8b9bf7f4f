import {
  Type, type IntegerOptions, type ObjectOptions, type StringOptions, type TProperties, type TSchema
} from '@sinclair/typebox'
import { byName } from './by-name.ts'
import type { ProblemCode } from './problems.ts'
import { MAX_OFFSET } from '../streams/index.ts'

/** The problems that every operation on the broker can answer. */
export const BROKER_PROBLEMS = [
  'bad_request', 'validation_failed', 'access_refused', 'stream_not_found', 'internal_error', 'unsupported_by_broker',
  'broker_protocol_error', 'broker_unavailable', 'stream_not_available', 'broker_timeout'
] as const satisfies readonly ProblemCode[]

/** The problems that every operation on a super stream can answer. */
export const SUPER_STREAM_PROBLEMS = [
  ...BROKER_PROBLEMS.filter((code) => code !== 'stream_not_found'), 'super_stream_not_found'
] as const satisfies readonly ProblemCode[]

/** The further problems that every operation with a body can answer. */
export const BODY_PROBLEMS = [
  'request_timeout', 'payload_too_large', 'unsupported_media_type', 'overloaded'
] as const satisfies readonly ProblemCode[]

/** An object without any other fields: a typo must not change what a request means. */
export function strictObject<T extends TProperties> (properties: T, options: ObjectOptions = {}) {
  return Type.Object(properties, { ...options, additionalProperties: false })
}

// No control characters. Simple enough for the regular expressions of every language: without lookahead and classes.
const X = '[^\\u0000-\\u001f\\u007f-\\u009f]'
const other = (characters: string) => X.replace('^', `^${characters}`)
const STREAM_NAME = [
  `${other('a.')}${X}*`,
  `a(${other('m')}${X}*|m(${other('q')}${X}*|q(${other('.')}${X}*)?)?)?`,
  `[.](${other('.')}${X}*|[.]${X}+)`
]
const REFERENCE_NAME = [`${other('.')}${X}*`, `[.](${other('.')}${X}*|[.]${X}+)`]

// The document has the rules for names. The domain checks them, and says which one is broken.
function nameRules (forms: readonly string[], maxLength: number) {
  return { 'x-documented': { maxLength, pattern: `^(${forms.join('|')})$` } }
}

const streamName = Type.String({
  minLength: 1,
  ...nameRules(STREAM_NAME, 200),
  description:
    'Name of the stream: 1 to 200 bytes of UTF-8, no control characters, not starting with `amq.`, not `.` or `..`; ' +
    'percent-encoded, a `/` as `%2F`.',
  examples: ['hello']
})
const superStreamName = Type.String({
  minLength: 1,
  ...nameRules(STREAM_NAME, 200),
  description: 'Name of the super stream, by the rules for names of streams; percent-encoded, a `/` as `%2F`.',
  examples: ['orders']
})
const referenceBounds =
  '1 to 255 bytes of UTF-8, no control characters, not `.` or `..`; percent-encoded, a `/` as `%2F`.'
const referenceRules = nameRules(REFERENCE_NAME, 255)
const consumerName = Type.String({
  minLength: 1,
  ...referenceRules,
  description: `Name of the consumer: ${referenceBounds}`,
  examples: ['my-app']
})

/** A publisher name, in paths and in query strings. @param more what there is to say about it beyond its form */
export function publisherName (more: string, options: StringOptions = {}) {
  const description = `Name of the publisher: ${referenceBounds} ${more}`.trim()
  return Type.String({ minLength: 1, ...referenceRules, description, ...options })
}

export const StreamParams = strictObject({ stream: streamName })
export const SuperStreamParams = strictObject({ superStream: superStreamName })
export const SuperStreamConsumerParams = strictObject({ superStream: superStreamName, consumer: consumerName })
export const ConsumerParams = strictObject({ stream: streamName, consumer: consumerName })
export const PublisherParams = strictObject({
  stream: streamName,
  publisher: publisherName('', { examples: ['my-publisher'] })
})

/** An offset that a caller names. */
export function offset (description: string, options: IntegerOptions = {}) {
  return Type.Integer({ minimum: 0, maximum: MAX_OFFSET, description, ...options })
}

/**
 * A response with a JSON body. A schema with an `$id` is one of the components of the document, once it is added to the
 * app.
 */
export function json (description: string, schema: TSchema, example: unknown, headers?: Record<string, unknown>) {
  return {
    description,
    ...(headers && { headers }),
    content: { 'application/json': { schema: byName(schema), example } }
  }
}

const SOURCE_STATES = [Type.Literal('ok'), Type.Literal('not_configured'), Type.Literal('failed')]

/** Whether the management API was asked and answered. */
export const SourceState = Type.Union(SOURCE_STATES, {
  title: 'SourceState',
  description: 'Whether the management API answered.'
})

/** The sources of a list of names, so that a partial list is not mistaken for a complete one. */
export const Sources = Type.Object(
  {
    management: Type.Union(SOURCE_STATES, {
      description: '`ok`: every name that the broker knows is listed. Otherwise the list has only the names that ' +
        'this process has seen.'
    }),
    instance: Type.Literal('ok')
  },
  { title: 'ListSources', description: 'Which sources the list is made from.' }
)
