import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import fp from 'fastify-plugin'
import { Gauge } from 'prom-client'
import type { Config } from '../config.ts'

const WARNING_INTERVAL_MS = 3_600_000
const LOOPBACK = /^(?:127\.|::1$)/

/** Warns of a gateway that is open to everybody, and of credentials that are sent without TLS. */
function openness (app: FastifyInstance, { access: { ways = [] }, http }: Config): void {
  const isOpen = ways.length === 0
  const gauge = new Gauge({
    name: 'rabbitmq_stream_gateway_auth_open',
    help: '1 when the gateway listens beyond its machine without authentication',
    registers: [app.metrics]
  })
  gauge.set(0)
  if (!isOpen) {
    // Behind a proxy that is trusted, the proxy ends TLS.
    if (http.tls === undefined && http.trustedProxies.length === 0) warnOfPlainSecrets(app)
    return
  }
  let timer: NodeJS.Timeout | undefined
  app.addHook('onListen', async () => {
    const addresses = addressesBeyond(app)
    if (addresses.length === 0) return
    gauge.set(1)
    const warn = (): void => {
      app.log.warn(
        { addresses },
        'listening beyond this machine WITHOUT AUTHENTICATION: ' +
        'anyone who can reach it can read, write and delete streams'
      )
    }
    warn()
    timer = setInterval(warn, WARNING_INTERVAL_MS)
  })
  app.addHook('preClose', async () => { clearInterval(timer) })
}

function warnOfPlainSecrets (app: FastifyInstance): void {
  app.addHook('onListen', async () => {
    const addresses = addressesBeyond(app)
    if (addresses.length === 0) return
    app.log.warn(
      { addresses },
      'credentials come without TLS: set HTTP_TLS_CERT_PATH, or TRUST_PROXY if a proxy ends TLS'
    )
  })
}

function addressesBeyond (app: FastifyInstance): AddressInfo[] {
  const address = app.server.address()
  return typeof address === 'object' && address !== null && !LOOPBACK.test(address.address) ? [address] : []
}

export default fp<Config>(async (app, config) => openness(app, config), { name: 'openness', dependencies: ['metrics'] })
