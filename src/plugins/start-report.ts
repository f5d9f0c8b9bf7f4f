import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { setTimeout as delay } from 'node:timers/promises'
import type { Config } from '../config.ts'
import type { BrokerFault } from '../streams/index.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Connects to the broker and asks the management API, without waiting for a request, and says in the log what came
     * of it. It tries again until the broker can be used.
     */
    reportStart: () => void
  }
}

// The pauses between attempts are longer, as the settings say: within a pause the broker is not asked.
const RETRY_MS = 1000
const CONNECTING_MS = 50

function startReport (app: FastifyInstance, { rabbitmq }: Config): void {
  const closing = new AbortController()
  const address = rabbitmq.stream.hosts.map(({ host, port }) => `${host}:${port}`).join(', ')
  app.onShutdown('no new work', () => { closing.abort() })
  app.decorate('reportStart', () => {
    void reportBroker(app, address, closing.signal)
    void reportManagement(app, closing.signal)
  })
}

async function reportBroker (app: FastifyInstance, address: string, signal: AbortSignal): Promise<void> {
  let reported: string | null = null
  while (!signal.aborted) {
    const { state, fault, reason, version } = await app.broker.status()
    if (state === 'up') {
      app.log.info({ brokerVersion: version }, `connected to RabbitMQ ${version} at ${address}`)
      return
    }
    // The same fault is said once: each attempt has its own line, with the cause.
    if (!signal.aborted && fault !== null && fault !== 'connecting' && reason !== reported) {
      app.log.error({ fault }, `cannot use the broker at ${address}: ${reason}. ${adviceFor(fault)}`)
      reported = reason
    }
    await delay(fault === 'connecting' ? CONNECTING_MS : RETRY_MS, undefined, { signal }).catch(() => {})
  }
}

function adviceFor (fault: BrokerFault): string {
  switch (fault) {
    case 'connecting':
    case 'no_answer':
    case 'refused':
    case 'unreachable':
    case 'timed_out':
      return 'Start the broker, or correct the host and port in RABBITMQ_STREAM_URL. The gateway keeps trying'
    case 'host_unknown':
    case 'broken_off':
    case 'amqp_port':
    case 'http_port':
    case 'other_protocol':
      return 'Correct the host and port in RABBITMQ_STREAM_URL'
    case 'tls_port':
      return 'Correct the port in RABBITMQ_STREAM_URL, or begin it with rabbitmq-stream+tls://'
    case 'plain_port':
      return 'Correct the port in RABBITMQ_STREAM_URL, or begin it with rabbitmq-stream://'
    case 'broker_certificate':
      return 'Correct the certificate, RABBITMQ_TLS_CA_PATH, RABBITMQ_TLS_SERVER_NAME or the host in the URL'
    case 'client_certificate':
      return 'Correct RABBITMQ_TLS_CERT_PATH and RABBITMQ_TLS_KEY_PATH'
    case 'refusal_awaited':
    case 'wrong_credentials':
      return 'Correct the user and password in RABBITMQ_STREAM_URL; special characters are percent-encoded'
    case 'loopback_only':
      return 'Name another user in RABBITMQ_STREAM_URL: guest may connect from the machine of the broker only'
    case 'mechanism_not_offered':
      return 'Correct RABBITMQ_AUTH_MECHANISM, or let the broker offer it'
    case 'virtual_host_refused':
      return 'Correct the virtual host at the end of RABBITMQ_STREAM_URL, or give the user its permissions'
    case 'broker_too_old':
      return 'Upgrade the broker'
    case 'other':
      return 'The gateway keeps trying'
  }
}

async function reportManagement (app: FastifyInstance, signal: AbortSignal): Promise<void> {
  const fault = await app.broker.managementFault()
  if (fault === undefined || signal.aborted) return
  app.log.warn({ cause: fault.cause }, `cannot use the management API: ${fault.reason}. ` +
    'Correct RABBITMQ_MANAGEMENT_URL; without it streams cannot be listed, and lists are not complete')
}

export default fp<Config>(async (app, config) => startReport(app, config), {
  name: 'start-report',
  dependencies: ['broker', 'lifecycle']
})
