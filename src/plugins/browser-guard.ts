import cors from '@fastify/cors'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { IncomingHttpHeaders } from 'node:http'
import { RequestError } from '../api/problems.ts'
import { allowedHosts, isOwnOrigin } from '../http/host-names.ts'

/** Who may call the gateway from a browser. */
export interface BrowserGuardOptions {
  allowedHosts: readonly string[]
  corsOrigins: readonly string[]
  /** Whether callers are asked who they are. A page that uses the gateway by a name of its own cannot know that. */
  isAuthenticated: boolean
}

// Every origin: the settings accept it with authentication only.
const ANY_ORIGIN = '*'

const CORS_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const EXPOSED_HEADERS = [
  'stream-next-offset', 'stream-end-of-stream', 'stream-gap', 'stream-commit-offset', 'stream-next-cursor',
  'stream-gaps', 'stream-unavailable', 'etag', 'link', 'content-disposition',
  'app-property-traceparent', 'app-property-tracestate', 'x-request-id', 'retry-after', 'ratelimit', 'ratelimit-policy'
]
const PREFLIGHT_SECONDS = 7200
// Where a link of another page may lead. Nothing is changed there.
const PAGES = /^\/(?:(?:docs|problems)(?:\/[^?]*)?)?(?:\?|$)/

/**
 * Keeps web pages of strangers away. Without authentication a page could use the gateway with the reach of whoever
 * looks at it, in two ways. It sends requests across origins: browsers mark them by `Origin` and `Sec-Fetch-Site`, and
 * no page can change these. Or it gives its own name the address of the gateway: then `Host` has the page's name.
 * Clients that are no browsers send neither mark. A request is refused before any of its body is read.
 */
async function browserGuard (app: FastifyInstance, options: BrowserGuardOptions): Promise<void> {
  const isAnyHost = options.isAuthenticated && options.allowedHosts.length === 0
  const isHostAllowed = isAnyHost ? () => true : allowedHosts(options.allowedHosts)
  const origins = new Set(options.corsOrigins)

  app.addHook('onRequest', (request, _reply, done) => {
    const host = app.publicHost(request)
    if (host !== undefined && !isHostAllowed(host)) {
      done(new RequestError('host_not_allowed', hostFault(host)))
      return
    }
    const { headers } = request.raw
    if (isAllowed(headers, host, origins) || isPageVisit(request)) done()
    else done(new RequestError('origin_not_allowed', originFault(headers)))
  })
  if (origins.size === 0) return
  // Before the routes: a preflight is answered for every path, in place of the 405 of OPTIONS.
  await app.register(cors, {
    delegator: ({ raw: { headers } }, done) => {
      const isPreflight = headers['access-control-request-method'] !== undefined
      done(null, {
        origin: headers.origin !== undefined && isListed(headers.origin, origins) ? headers.origin : false,
        preflight: isPreflight,
        methods: CORS_METHODS,
        // Without a list, the headers that are asked for are allowed: those of properties have names of their own.
        exposedHeaders: EXPOSED_HEADERS,
        maxAge: PREFLIGHT_SECONDS
      })
    }
  })
}

function isAllowed (headers: IncomingHttpHeaders, host: string | undefined, origins: ReadonlySet<string>): boolean {
  const { origin } = headers
  const site = headers['sec-fetch-site']
  if (origin !== undefined && isListed(origin, origins)) return true
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  return origin === undefined || (host !== undefined && isOwnOrigin(origin, host))
}

function isListed (origin: string, origins: ReadonlySet<string>): boolean {
  return origins.has(origin) || origins.has(ANY_ORIGIN)
}

function isPageVisit ({ raw: { method, headers, url = '' } }: FastifyRequest): boolean {
  return (method === 'GET' || method === 'HEAD') && headers.origin === undefined &&
    headers['sec-fetch-mode'] === 'navigate' && (headers['sec-fetch-dest'] ?? 'document') === 'document' &&
    PAGES.test(url)
}

// The longest name and port.
const MAX_SHOWN = 260

function hostFault (host: string): string {
  const shown = host.slice(0, MAX_SHOWN)
  return `the gateway does not go by the name ${JSON.stringify(shown)}; HTTP_ALLOWED_HOSTS can allow it`
}

function originFault ({ origin }: IncomingHttpHeaders): string {
  if (origin === undefined) return 'a web page of another site made this request; CORS_ORIGINS can allow its origin'
  return `a web page of the origin ${JSON.stringify(origin.slice(0, MAX_SHOWN))} made this request; ` +
    'CORS_ORIGINS can allow it'
}

export default fp<BrowserGuardOptions>(browserGuard, {
  name: 'browser-guard',
  dependencies: ['requests', 'errors', 'proxies']
})
