import type { FastifyRequest } from 'fastify'
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

/**
 * The error for a body whose messages cannot be read. Any other error is returned as it is.
 *
 * @param code for what is not JSON
 */
export function toRequestError (error: unknown, code: 'bad_request' | 'validation_failed' = 'bad_request'): unknown {
  if (!(error instanceof MessageFormatError)) return error
  const errors = [{ pointer: error.pointer, message: error.message }]
  return error instanceof MalformedJsonError
    ? new RequestError(code, `the body ${error.message}`, { errors, cause: error })
    : invalidRequest(errors, error)
}
