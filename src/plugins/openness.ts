import type { FastifyInstance } from 'fastify'
import type { AddressInfo } from 'node:net'
import fp from 'fastify-plugin'
import { Gauge } from 'prom-client'
import type { Config } from '../config.ts'

const WARNING_INTERVAL_MS = 3_600_000
const LOOPBACK = /^(?:127\.|::1$)/

/** Reminds of a gateway that everybody may use. */
function openness (app: FastifyInstance, { access: { ways = [] } }: Config): void {
  const isOpen = ways.length === 0
  const gauge = new Gauge({
    name: 'rabbitmq_stream_gateway_auth_open',
    help: '1: everybody who reaches the gateway may do everything, from beyond its machine',
    registers: [app.metrics]
  })
  gauge.set(0)
  if (!isOpen) return
  let timer: NodeJS.Timeout | undefined
  app.addHook('onListen', async () => {
    const addresses = listeners(app.server.address())
    if (addresses.every(({ address }) => LOOPBACK.test(address))) return
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

function listeners (address: AddressInfo | string | null): AddressInfo[] {
  return typeof address === 'object' && address !== null ? [address] : []
}

export default fp<Config>(async (app, config) => openness(app, config), { name: 'openness', dependencies: ['metrics'] })
