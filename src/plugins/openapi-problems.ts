import { Type } from '@sinclair/typebox'
import { MAX_FIELD_ERRORS } from '../api/field-error.ts'
import { PROBLEM_CODES, PROBLEMS, RequestError, toProblemAnswer, type ProblemCode } from '../api/problems.ts'

const HEADER_BY_STATUS: Readonly<Record<number, readonly [string, unknown]>> = {
  503: ['retry-after', { description: 'Seconds to wait before another try.', type: 'integer' }]
}

/** The schema of every error; operations add members of their own. */
export const ProblemSchema = Type.Object(
  {
    type: Type.String({ format: 'uri-reference', description: 'A page of this gateway that explains the code.' }),
    title: Type.String(),
    status: Type.Integer({ minimum: 400, maximum: 599 }),
    detail: Type.String({ description: 'What is wrong with this request.' }),
    code: Type.Unsafe<ProblemCode>({ type: 'string', enum: PROBLEM_CODES, description: 'What programs decide by.' }),
    retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
    sideEffects: Type.Unsafe<string>({
      type: 'string',
      enum: ['none', 'possible'],
      description: '`possible`: something may have been stored or changed.'
    }),
    requestId: Type.String({ description: 'As in `x-request-id` and in the log.' }),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          pointer: Type.String({
            description: 'JSON pointer into the body, or `/query/...`, `/path/...`, `/headers/...`.'
          }),
          message: Type.String()
        }),
        { maxItems: MAX_FIELD_ERRORS, description: 'What is wrong, field by field.' }
      )
    ),
    published: Type.Optional(
      Type.Object(
        {
          confirmed: Type.Integer({ minimum: 0 }),
          duplicates: Type.Integer({ minimum: 0 }),
          unknown: Type.Optional(
            Type.Integer({ minimum: 0, description: 'Messages that are confirmed and yet may not be stored.' })
          ),
          results: Type.Optional(Type.Array(Type.Ref('PublishFailure')))
        },
        { description: 'What became of the messages, or of those before the one that ended a streamed publish.' }
      )
    ),
    storedOffset: Type.Optional(
      Type.Unsafe<number | null>({
        type: ['integer', 'null'],
        description: 'What is stored for the consumer; null when nothing is.'
      })
    ),
    lastPublishingId: Type.Optional(
      Type.Integer({ description: 'The last publishing id that the broker has of the publisher.' })
    ),
    firstOffset: Type.Optional(Type.Integer({ description: 'The first offset that is still there.' })),
    lastOffset: Type.Optional(
      Type.Unsafe<number | null>({ type: ['integer', 'null'], description: 'The offset of the last message.' })
    ),
    nextOffset: Type.Optional(Type.Integer({ description: 'The offset after the last one of the stream.' })),
    offset: Type.Optional(Type.Integer({ description: 'The offset of the message that it is about.' })),
    index: Type.Optional(Type.Integer({ description: 'Which message of the request it is about, from 0.' })),
    limit: Type.Optional(Type.Integer({ description: 'The limit that was reached.' })),
    limitBytes: Type.Optional(Type.Integer({ description: 'The same, in bytes.' }))
  },
  { description: 'RFC 9457. Members after `errors` come only with the problems that they are about.' }
)

// What is answered before there is an operation.
const OF_NO_OPERATION: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'method_not_allowed',
  'expectation_not_supported',
  'headers_too_large'
])

/** An example for each code, for operations to refer to. */
export function problemExamples (): Record<string, { summary: string, value: unknown }> {
  return Object.fromEntries(PROBLEM_CODES.filter((code) => !OF_NO_OPERATION.has(code)).map((code) => {
    const { title, when } = PROBLEMS[code]
    const { problem } = toProblemAnswer(new RequestError(code, when), '7c1d3a52-0f9e-4a1b-9c53-2f1f7d3f9f10')
    return [code, { summary: title, value: problem }]
  }))
}

/** The responses for some problems, one a status, with an example for each code. */
export function problemResponses (codes: readonly ProblemCode[]): Record<string, object> {
  const responses: Record<string, object> = {}
  for (const status of new Set(codes.map((code) => PROBLEMS[code].status))) {
    // In the order of the table, so that the document does not depend on how a route lists them.
    const ofStatus = PROBLEM_CODES.filter((code) => codes.includes(code) && PROBLEMS[code].status === status)
    const header = HEADER_BY_STATUS[status]
    responses[status] = {
      description: ofStatus.map((code) => `\`${code}\`: ${PROBLEMS[code].when}`).join(' '),
      ...(header && { headers: { [header[0]]: header[1] } }),
      content: {
        'application/problem+json': {
          schema: { $ref: '#/components/schemas/Problem' },
          examples: Object.fromEntries(ofStatus.map((code) => [code, { $ref: `#/components/examples/${code}` }]))
        }
      }
    }
  }
  return responses
}
