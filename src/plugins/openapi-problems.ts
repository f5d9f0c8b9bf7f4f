import { byName } from '../api/by-name.ts'
import { ProblemSchema } from '../api/problem-schema.ts'
import { PROBLEM_CODES, PROBLEMS, RequestError, toProblemAnswer, type ProblemCode } from '../api/problems.ts'

const RETRY_AFTER = { 'retry-after': { description: 'Seconds to wait before another try.', type: 'integer' } }

const HEADERS_BY_STATUS: Readonly<Record<number, Readonly<Record<string, object>>>> = {
  401: { 'www-authenticate': { description: 'The kinds of credentials that are accepted.', type: 'string' } },
  429: {
    ...RETRY_AFTER,
    'ratelimit-policy': {
      description: 'The quotas of the caller, where quotas limit it. Every answer to such a caller has both headers.',
      type: 'string'
    },
    ratelimit: { description: 'What remains of each quota.', type: 'string' }
  },
  503: RETRY_AFTER
}

// Problems that are answered before an operation is known.
const OF_NO_OPERATION: ReadonlySet<ProblemCode> = new Set<ProblemCode>([
  'method_not_allowed',
  'origin_not_allowed',
  'host_not_allowed',
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
    // In the order of the table, so that the document does not depend on the order in a route.
    const ofStatus = PROBLEM_CODES.filter((code) => codes.includes(code) && PROBLEMS[code].status === status)
    const headers = HEADERS_BY_STATUS[status]
    responses[status] = {
      description: ofStatus.map((code) => `\`${code}\`: ${PROBLEMS[code].when}`).join(' '),
      ...(headers && { headers }),
      content: {
        'application/problem+json': {
          schema: byName(ProblemSchema),
          examples: Object.fromEntries(ofStatus.map((code) => [code, { $ref: `#/components/examples/${code}` }]))
        }
      }
    }
  }
  return responses
}
