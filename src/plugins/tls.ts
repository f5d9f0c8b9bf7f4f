import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { RequestListener, Server as HttpServer } from 'node:http'
import { createServer, Server } from 'node:https'
import { Counter, Gauge } from 'prom-client'
import { readTlsFiles } from '../access/certificates/tls-files.ts'
import type { Config } from '../config.ts'
import { serverOptions, setLimits, type ServerLimits } from '../http/server-limits.ts'
import { CertificateEnd } from './certificate-end.ts'
import { Handshakes } from './handshakes.ts'

type TlsSettings = NonNullable<Config['http']['tls']>

const PREFIX = 'rabbitmq_stream_gateway_tls_'
const RELOAD_SECONDS = 10
// A handshake is two round trips and a millisecond of work.
const HANDSHAKE_TIMEOUT_MS = 10_000

/** Makes an HTTPS server that has no certificate yet: the plugin below gives it one before it listens. */
export function tlsServer (
  { clientAuth }: TlsSettings,
  limits: ServerLimits
): (handler: RequestListener) => HttpServer {
  const options = {
    ...serverOptions(limits),
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: clientAuth !== 'none',
    rejectUnauthorized: clientAuth === 'required'
  }
  return (handler) => {
    const server = createServer(options, handler)
    setLimits(server, limits)
    return server
  }
}

/** The certificate of the server, which is replaced without a restart. Open connections keep the one that they have. */
function tls (app: FastifyInstance, settings: TlsSettings): void {
  const { server } = app
  if (!(server instanceof Server)) throw new TypeError('the server does not speak TLS')
  const end = new CertificateEnd(app.log)
  const files = filesOf(settings)
  const load = ([cert = '', key = '', clientCa]: readonly string[]) => {
    const { context, validTo } = readTlsFiles(cert, key, clientCa)
    server.setSecureContext(context)
    end.set(validTo)
    return { validTo: validTo.toISOString() }
  }
  load(files.map(({ content }) => content))
  app.reloadFile({ setting: 'HTTP_TLS_CERT_PATH', files, everySeconds: RELOAD_SECONDS, load })
  const failed = new Counter({
    name: `${PREFIX}handshakes_failed_total`,
    help: 'TLS handshakes that failed',
    labelNames: ['reason'],
    registers: [app.metrics]
  })
  const handshakes = new Handshakes(server, failed, app.log)
  addGauge(app, 'handshakes', 'TLS handshakes under way', () => handshakes.size)
  addGauge(app, 'certificate_expiry_timestamp_seconds', 'When the TLS certificate ends', () => end.seconds)

  app.addHook('onReady', async () => { end.start() })
  app.addHook('onClose', async () => { end.close() })
  app.onShutdown('no new work', () => { handshakes.cutOff() })
}

function filesOf ({ cert, key, clientCa }: TlsSettings) {
  return [cert, key, ...clientCa === undefined ? [] : [clientCa]]
}

function addGauge (app: FastifyInstance, name: string, help: string, value: () => number): void {
  const gauge: Gauge = new Gauge({
    name: PREFIX + name,
    help,
    registers: [app.metrics],
    collect () { gauge.set(value()) }
  })
}

export default fp<TlsSettings>(async (app, settings) => tls(app, settings), {
  name: 'tls',
  dependencies: ['metrics', 'reloads', 'lifecycle']
})
