import type { FastifyInstance, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { OPERATIONS, type Requirement } from '../access/operations.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** What a caller needs for this route. Operations have it from their table; a route without it does not start. */
    access?: Requirement
  }
}

// Pages and files of libraries, which know nothing of operations.
const DOCUMENTS = /^\/(?:openapi\.json$|docs(?:\/|$))/

/**
 * Gives every route that is registered after this what a caller needs for it.
 *
 * @throws Error for a route that nothing is known of: it would be open to everybody
 */
function routeAccess (app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const access = route.config?.access ?? requirementOf(route)
    if (access === undefined) {
      throw new Error(`${String(route.method)} ${route.url} is not in the table of src/access/operations.ts`)
    }
    route.config = { ...route.config, access }
  })
}

function requirementOf ({ url, method, schema }: RouteOptions): Requirement | undefined {
  if (schema?.operationId !== undefined) return OPERATIONS[schema.operationId]
  if (DOCUMENTS.test(url)) return { type: 'documents' }
  // The answer to preflights, which browsers send without credentials.
  return url === '*' && method === 'OPTIONS' ? { type: 'open' } : undefined
}

export default fp(async (app) => routeAccess(app), { name: 'route-access' })
