import { Type } from '@sinclair/typebox'
import { PROBLEM_CODES, PROBLEMS, toProblemAnswer, RequestError, type ProblemCode } from '../problems.ts'

const HEADER_BY_STATUS: Readonly<Record<number, readonly [string, unknown]>> = {
  405: ['allow', { description: 'The methods of the path.', schema: { type: 'string' } }],
  503: ['retry-after', { description: 'Seconds.', schema: { type: 'integer' } }]
}

/** The schema of every error; operations add members of their own. */
export const ProblemSchema = Type.Object({
  type: Type.String({ format: 'uri-reference', description: 'A page of this gateway that explains the code.' }),
  title: Type.String(),
  status: Type.Integer({ minimum: 400, maximum: 599 }),
  detail: Type.String({ description: 'What is wrong with this request.' }),
  code: Type.Unsafe<ProblemCode>({ type: 'string', enum: PROBLEM_CODES, description: 'What programs decide by.' }),
  retryable: Type.Boolean({ description: 'Whether the same request may succeed later.' }),
  sideEffects: Type.Unsafe<string>({ type: 'string', enum: ['none', 'possible'], description: '`possible`: something may have been stored or changed.' }),
  requestId: Type.String({ description: 'As in `x-request-id` and in the log.' }),
  errors: Type.Optional(Type.Array(Type.Object({
    pointer: Type.String({ description: 'JSON pointer into the body, or `/query/...`, `/path/...`, `/headers/...`.' }),
    message: Type.String()
  }), { maxItems: 20, description: 'What is wrong, field by field.' })),
  published: Type.Optional(Type.Object({
    confirmed: Type.Integer({ minimum: 0 }),
    duplicates: Type.Integer({ minimum: 0 }),
    results: Type.Optional(Type.Array(Type.Ref('PublishFailure')))
  }, { description: 'What became of the messages before the one that ended a streamed publish.' }))
}, { description: 'RFC 9457. Some problems have further members, such as `firstOffset`.' })

/** The responses for some problems, one a status, with an example for each code. */
export function problemResponses (codes: readonly ProblemCode[]): Record<string, object> {
  const responses: Record<string, { description: string, headers?: Record<string, unknown>, content: Record<string, { schema: object, examples: Record<string, object> }> }> = {}
  // In the order of the table, so that the document does not depend on how a route lists them.
  for (const code of PROBLEM_CODES.filter((code) => codes.includes(code))) {
    const { status, title, when } = PROBLEMS[code]
    const { problem } = toProblemAnswer(new RequestError(code, when), '7c1d3a52-0f9e-4a1b-9c53-2f1f7d3f9f10')
    const header = HEADER_BY_STATUS[status]
    const response = responses[status] ??= {
      description: '',
      ...(header && { headers: { [header[0]]: header[1] } }),
      content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' }, examples: {} } }
    }
    response.description += `${response.description === '' ? '' : ' '}\`${code}\`: ${when}`
    const media = response.content['application/problem+json']
    if (media !== undefined) media.examples[code] = { summary: title, value: problem }
  }
  return responses
}
