import type { FastifyInstance, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { isIP } from 'node:net'
import { toPathPrefix } from '../text/path-prefix.ts'
import { trustedProxies, type Network } from '../http/trusted-proxies.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What a proxy has before the path of the gateway, such as `/gw`; empty without one. */
    publicPrefix: (request: FastifyRequest) => string
    /** The `Host` that the client used. */
    publicHost: (request: FastifyRequest) => string | undefined
    /** The address of the client. */
    clientAddress: (request: FastifyRequest) => string | undefined
  }
}

/** How requests are reached through proxies. */
export interface ProxiesOptions { pathPrefix: string, trustedProxies: readonly Network[] }

/**
 * What clients see of the gateway behind proxies. The headers that say so are believed from trusted proxies only, and
 * a prefix only when it can do no harm in a header: anybody may send such headers.
 */
function proxies (app: FastifyInstance, { pathPrefix, trustedProxies: networks }: ProxiesOptions): void {
  const isTrusted = networks.length === 0 ? () => false : trustedProxies(networks)
  const trustedHeader = (request: FastifyRequest, name: string): string | undefined => {
    const value = request.headers[name]
    return typeof value === 'string' && isTrusted(peerOf(request) ?? '') ? value : undefined
  }
  app.decorate('publicPrefix', (request: FastifyRequest) => {
    const header = trustedHeader(request, 'x-forwarded-prefix')
    // Each proxy of a chain adds its own.
    const given = header === undefined ? undefined : toPathPrefix(header.split(',').map((part) => part.trim()).join(''))
    return given ?? pathPrefix
  })
  app.decorate('publicHost', (request: FastifyRequest) =>
    trustedHeader(request, 'x-forwarded-host')?.split(',', 1)[0]?.trim() ?? request.headers.host
  )
  app.decorate('clientAddress', (request: FastifyRequest) => {
    const peer = peerOf(request)
    const header = trustedHeader(request, 'x-forwarded-for')
    if (header === undefined) return peer
    // From the nearest on: what stands before the first address that is not trusted may be made up.
    const addresses = header.split(',').map((part) => part.trim()).filter((part) => isIP(part) !== 0)
    return addresses.findLast((address) => !isTrusted(address)) ?? addresses[0] ?? peer
  })
}

function peerOf ({ raw }: FastifyRequest): string | undefined {
  return raw.socket.remoteAddress
}

/** Cuts the prefix off a path that still has it: then a proxy need not do it, and changes nothing in the path. */
export function cutPrefix (pathPrefix: string): (request: { url?: string | undefined }) => string {
  return ({ url = '/' }) => {
    if (!url.startsWith(pathPrefix)) return url
    const rest = url.slice(pathPrefix.length)
    if (rest === '' || rest.startsWith('?')) return `/${rest}`
    return rest.startsWith('/') ? rest : url
  }
}

export default fp<ProxiesOptions>(async (app, options) => proxies(app, options), { name: 'proxies' })
