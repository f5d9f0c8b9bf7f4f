import type { FastifyRequest } from 'fastify'
import { RequestError } from '../api/problems.ts'
import { nearPath, type PathTemplate } from '../http/near-paths.ts'

// A path may be as long as all headers together.
const MAX_SHOWN = 300

/** The answer to a path that the API does not have, with the path that was most likely meant. */
export function unknownPath (request: FastifyRequest, templates: readonly PathTemplate[]): RequestError {
  const path = (request.raw.url ?? '').split('?', 1)[0] ?? ''
  const near = path.length > MAX_SHOWN ? undefined : nearPath(path, templates)
  const shown = path.length > MAX_SHOWN ? `${path.slice(0, MAX_SHOWN)}...` : path
  const hint = near === undefined ? '' : `; did you mean ${request.server.publicPrefix(request)}${near}?`
  return new RequestError('route_not_found', `there is no ${request.method} ${shown}${hint}`)
}
