import { AccessError, type AccessErrorCode } from '../access/access-error.ts'
import { PushError } from '../push/push-error.ts'
import { StreamsError, type SideEffects } from '../streams/index.ts'
import { exactInteger } from './exact-integer.ts'
import { summaryOf, type FieldError } from './field-error.ts'
import { problemCodeOf, type ProblemCode } from './problem-codes.ts'
import { PROBLEMS } from './problem-table.ts'

export { problemCodeOf } from './problem-codes.ts'
export type { ProblemCode } from './problem-codes.ts'
export { PROBLEMS } from './problem-table.ts'

/** All codes, as the table orders them. */
export const PROBLEM_CODES: readonly ProblemCode[] = Object.keys(PROBLEMS).filter(isProblemCode)

/** Whether a text is the code of a problem. */
export function isProblemCode (text: string): text is ProblemCode {
  return Object.hasOwn(PROBLEMS, text)
}

interface RequestErrorOptions {
  errors?: readonly FieldError[]
  sideEffects?: SideEffects
  retryable?: boolean
  /** Further members of the problem; safe to show. */
  extensions?: Readonly<Record<string, unknown>>
  headers?: Readonly<Record<string, string>>
  cause?: unknown
}

/** An error found by the edge. Its message becomes `detail` and must be safe for the caller. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly code: ProblemCode
  readonly options: RequestErrorOptions

  constructor (code: ProblemCode, message: string, options: RequestErrorOptions = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.options = options
  }
}

/** A request that is well-formed and wrong. Its `detail` says what is wrong first: a log may show nothing else. */
export function invalidRequest (errors: readonly FieldError[], cause?: unknown): RequestError {
  return new RequestError('validation_failed', summaryOf(errors), { errors, cause })
}

/** The body of an `application/problem+json` answer (RFC 9457). */
export interface Problem {
  /** A reference that this gateway itself answers with a page. */
  type: string
  title: string
  status: number
  detail: string
  code: ProblemCode
  retryable: boolean
  sideEffects: SideEffects
  requestId: string
  errors?: readonly FieldError[]
  readonly [extension: string]: unknown
}

/** A problem in another form than `application/problem+json`. Its status is 200. */
export interface ProblemText { readonly mediaType: string, readonly text: string }

/** What to answer: the problem and the headers that go with it. */
export interface ProblemAnswer { problem: Problem, headers: Record<string, string> }

const RETRY_AFTER_SECONDS = 1
const RETRYABLE: ReadonlySet<string> =
  new Set<AccessErrorCode>(['too_many_requests', 'identity_provider_unavailable'])

/**
 * Turns anything thrown into an answer. Anything but a `StreamsError`, a `RequestError`, a `PushError` or an
 * `AccessError` is a fault of the gateway, and its message is not shown.
 *
 * @param pathPrefix under which a proxy shows the pages of problems
 */
export function toProblemAnswer (error: unknown, requestId: string, pathPrefix = ''): ProblemAnswer {
  const { problem, headers } = toAnswer(error, requestId)
  return { problem: pathPrefix === '' ? problem : { ...problem, type: pathPrefix + problem.type }, headers }
}

function toAnswer (error: unknown, requestId: string): ProblemAnswer {
  if (error instanceof RequestError) {
    const { errors, sideEffects = 'none', retryable = false, extensions, headers } = error.options
    return answer(
      { detail: error.message, code: error.code, retryable, sideEffects, requestId, ...(errors && { errors }) },
      extensions,
      headers
    )
  }
  if (error instanceof StreamsError) {
    const { message, retryable, sideEffects } = error
    return answer(
      { detail: message, code: problemCodeOf(error.code), retryable, sideEffects, requestId },
      extensionsOf(error)
    )
  }
  if (error instanceof PushError) {
    const { message, code, details } = error
    return answer({ detail: message, code, retryable: false, sideEffects: 'none', requestId }, { ...details })
  }
  if (error instanceof AccessError) {
    const { message, code, retryAfterSeconds } = error
    return answer(
      { detail: message, code, retryable: RETRYABLE.has(code), sideEffects: 'none', requestId },
      undefined,
      retryAfterSeconds === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterSeconds)) }
    )
  }
  return answer({
    detail: 'The gateway has a fault; its log has the cause.',
    code: 'internal_error',
    retryable: false,
    sideEffects: 'possible',
    requestId
  })
}

type ProblemCore = Pick<Problem, 'detail' | 'code' | 'retryable' | 'sideEffects' | 'requestId' | 'errors'>

function answer (
  core: ProblemCore,
  extensions: Readonly<Record<string, unknown>> = {},
  headers: Readonly<Record<string, string>> = {}
): ProblemAnswer {
  const { status, title } = PROBLEMS[core.code]
  const members = { type: `/problems/${core.code}`, title, status, ...core }
  return {
    // No extension can take the place of a member that every problem has.
    problem: { ...members, ...extensions, ...members },
    headers: { ...(status === 503 && { 'retry-after': String(RETRY_AFTER_SECONDS) }), ...headers }
  }
}

/** The facts that an error of the domain has for the caller, as further members of a problem. */
export function extensionsOf ({ details }: StreamsError): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(details ?? {}).map(([name, value]) => {
      return [name, typeof value === 'bigint' ? exactInteger(value) : value]
    })
  )
}
