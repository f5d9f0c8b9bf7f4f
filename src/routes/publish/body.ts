import type { FastifyRequest } from 'fastify'
import type { IncomingHttpHeaders } from 'node:http'
import type { ApiApp } from '../../http/api-app.ts'
import { invalidRequest, RequestError } from '../../api/problems.ts'
import { MalformedJsonError, MessageFormatError } from '../../messages/index.ts'

// Stands for a body that its handler reads.
const UNREAD = Symbol('unread body')

/** Leaves bodies of these media types to the handlers of the scope; others are refused with 415. */
export function leaveBodiesUnread (scope: ApiApp, mediaTypes: string | string[]): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(mediaTypes, (_request, _payload, done) => done(null, UNREAD))
}

/** The bytes of a body that was left unread; none when the request has no body. */
export function wholeBody (app: ApiApp, request: FastifyRequest): Promise<Buffer> | Buffer {
  return request.body === UNREAD ? app.readWholeBody(request) : Buffer.alloc(0)
}

/** The error for a body that is a form, which is most likely not what its sender means. */
export function refuseForm (headers: IncomingHttpHeaders, otherwise: string): RequestError {
  return new RequestError(
    'unsupported_media_type',
    `a body with Content-Type ${(headers['content-type'] ?? '').slice(0, 100)} is a form. With curl, send it with ` +
    '--data-binary and a content-type of its own (text/plain, application/json, ...): -d takes the line feeds out of ' +
    `a file; ${otherwise}`
  )
}

/**
 * The error for a body whose messages cannot be read. Any other error is returned as it is.
 *
 * @param code for what is not JSON
 * @param refusal makes the error for JSON that is wrong
 */
export function toRequestError (
  error: unknown, code: 'bad_request' | 'validation_failed' = 'bad_request', refusal = invalidRequest
): unknown {
  if (!(error instanceof MessageFormatError)) return error
  const errors = [{ pointer: error.pointer, message: error.message }]
  return error instanceof MalformedJsonError
    ? new RequestError(code, `the body ${error.message}`, { errors, cause: error })
    : refusal(errors, error)
}
