import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type { RequestListener, Server as HttpServer } from 'node:http'
import { createServer, Server } from 'node:https'
import { Counter, Gauge } from 'prom-client'
import type { Config } from '../config.ts'
import { serverOptions, setLimits, type ServerLimits } from '../http/server-limits.ts'
import { CertificateEnd } from './certificate-end.ts'
import { Handshakes } from './handshakes.ts'
import { readTlsFiles } from './tls-files.ts'

type TlsSettings = NonNullable<Config['http']['tls']>

const PREFIX = 'rabbitmq_stream_gateway_tls_'
const RELOAD_MS = 10_000
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
async function tls (app: FastifyInstance, settings: TlsSettings): Promise<void> {
  const { server } = app
  if (!(server instanceof Server)) throw new TypeError('the server does not speak TLS')
  const end = new CertificateEnd(app.log)
  const watch = await app.watchFiles({
    what: 'the TLS files',
    paths: pathsOf(settings),
    everyMs: RELOAD_MS,
    take ([cert = '', key = '', clientCa]) {
      const { context, validTo } = readTlsFiles(cert, key, clientCa)
      server.setSecureContext(context)
      end.set(validTo)
      return { validTo: validTo.toISOString() }
    }
  })
  const failed = new Counter({
    name: `${PREFIX}handshakes_failed_total`,
    help: 'TLS handshakes that failed',
    labelNames: ['reason'],
    registers: [app.metrics]
  })
  const handshakes = new Handshakes(server, failed, app.log)
  addGauge(app, 'handshakes', 'TLS handshakes under way', () => handshakes.size)
  addGauge(app, 'reload_ok', 'Whether the TLS files that were read last are in use', () => watch.isGood ? 1 : 0)
  addGauge(app, 'certificate_expiry_timestamp_seconds', 'When the TLS certificate ends', () => end.seconds)

  app.addHook('onReady', async () => { end.start() })
  app.addHook('onClose', async () => { end.close() })
  app.onShutdown('no new work', () => { handshakes.cutOff() })
}

function pathsOf ({ certPath, keyPath, clientCaPath }: TlsSettings): Record<string, string> {
  return {
    HTTP_TLS_CERT_PATH: certPath,
    HTTP_TLS_KEY_PATH: keyPath,
    ...(clientCaPath !== undefined && { HTTP_TLS_CLIENT_CA_PATH: clientCaPath })
  }
}

function addGauge (app: FastifyInstance, name: string, help: string, value: () => number): void {
  const gauge: Gauge = new Gauge({
    name: PREFIX + name,
    help,
    registers: [app.metrics],
    collect () { gauge.set(value()) }
  })
}

export default fp<TlsSettings>(tls, { name: 'tls', dependencies: ['metrics', 'reloads', 'lifecycle'] })
