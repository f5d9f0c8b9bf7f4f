import { createServer } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { testAmqpUrl, testManagementUrl } from '../support/broker.ts'
import { batchOf, openBroker, testAddresses, type TestBrokerOptions } from '../support/streams.ts'

const portOf = (url: string): number => Number(new URL(url).port)
const here = (port: number): Partial<TestBrokerOptions> => ({ hosts: [{ host: '127.0.0.1', port }] })
const credentials = (username: string, password: string): Partial<TestBrokerOptions> =>
  ({ authentication: { mechanism: 'PLAIN', username, password } })

const mistakes: Array<[what: string, fault: string, code: string, options: () => Partial<TestBrokerOptions>]> = [
  ['a wrong password', 'wrong_credentials', 'broker_protocol_error', () => credentials('guest', 'wrong')],
  ['an unknown user', 'wrong_credentials', 'broker_protocol_error', () => credentials('nobody', 'guest')],
  ['an unknown virtual host', 'virtual_host_refused', 'broker_protocol_error', () => ({ virtualHost: 'nowhere' })],
  ['the AMQP port', 'amqp_port', 'broker_unavailable', () => here(portOf(testAmqpUrl()))],
  ['the AMQP port with TLS', 'plain_port', 'broker_unavailable', () => ({ ...here(portOf(testAmqpUrl())), tls: {} })],
  ['TLS to a port without TLS', 'plain_port', 'broker_unavailable', () => ({ tls: {} })],
  ['TLS to an HTTP port', 'plain_port', 'broker_unavailable', () => ({
    ...here(portOf(testManagementUrl())), tls: {}
  })],
  ['an unknown host', 'host_unknown', 'broker_unavailable', () => ({
    hosts: [{ host: 'no-such.invalid', port: 5552 }]
  })]
]

for (const [what, fault, code, options] of mistakes) {
  t.test(`${what} is told as what it is, to requests and in the status, and never as a broker that does not answer`,
    async (t) => {
      const broker = openBroker(t, options())
      const early = await broker.status()
      t.ok(early.fault === fault || early.fault === 'connecting', `at first: ${early.fault}`)
      const refusal = { code, sideEffects: 'none', fault, message: /[a-z]/ }
      await t.rejects(broker.publishing.publish('s', batchOf(['x'])), refusal)
      const { state, fault: known, reason } = await broker.status()
      t.equal(state, 'down')
      t.equal(known, fault)
      t.notMatch(reason, /broker does not answer|frame of/)
    })
}

t.test('a port at which nothing listens is told as that, and the cause is said once', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  const port = address === null || typeof address === 'string' ? 0 : address.port
  const broker = openBroker(t, here(port))
  const error: unknown = await broker.streams.describe('s').catch((error: unknown) => error)
  t.match(error, { code: 'broker_unavailable', fault: 'refused', retryable: true })
  const told = chainOf(error).join(': ')
  t.equal(told.split('ECONNREFUSED').length, 2, told)
})

t.test('a password that is refused after the time to connect is over is told as a refusal to come', async (t) => {
  const broker = openBroker(t, { ...credentials('guest', 'wrong'), connectTimeoutMs: 1000 })
  await t.rejects(broker.streams.describe('s'), { code: 'broker_unavailable', fault: 'refusal_awaited' })
  t.match(await broker.status(), { fault: 'refusal_awaited', reason: /wrong ones/ })
})

t.test('a right address is up, without a fault', async (t) => {
  const { host, port } = testAddresses()
  t.match(await openBroker(t, { hosts: [{ host, port }] }).status(), { state: 'up', reason: null, fault: null })
})

/** The messages that a log writes one after the other. */
function chainOf (error: unknown): string[] {
  return error instanceof Error ? [error.message, ...chainOf(error.cause)] : []
}
