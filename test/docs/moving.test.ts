import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { testManagementUrl } from '../support/broker.ts'
import { startGateway } from '../support/gateway.ts'
import { run } from './support.ts'

const page = readFileSync('docs/moving-from-a-queue.md', 'utf8')
const commands = [...page.matchAll(/^ *```sh\n(.*?)^ *```$/gms)].map(([, text = '']) => text)
const [, shown = '{}'] = /^ *```json\n(.*?)^ *```$/ms.exec(page) ?? []

/** A request to the management API that works. */
async function ask (path: string, body: object, method = 'POST'): Promise<unknown> {
  const { username, password, origin } = new URL(testManagementUrl())
  const response = await fetch(origin + path, {
    method,
    headers: {
      authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
      'content-type': 'application/json'
    },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  const text = await response.text()
  return text === '' ? undefined : JSON.parse(text)
}

t.test('a message of an exchange to which a stream is bound is read as the page shows it', async (t) => {
  const gateway = await startGateway(t)
  const [stream, exchange] = [`orders-${randomUUID()}`, `shop-${randomUUID()}`]
  await ask(`/api/exchanges/%2f/${exchange}`, { type: 'topic', durable: true, auto_delete: false }, 'PUT')
  t.teardown(async () => {
    await gateway.request('DELETE', `/v1/streams/${stream}`)
    await ask(`/api/exchanges/%2f/${exchange}`, {}, 'DELETE')
  })

  t.equal(commands.length, 3)
  const script = commands.join('\n').replaceAll('/orders', `/${stream}`).replaceAll('/shop/', `/${exchange}/`)
  const { code, stderr } = await run('bash', ['-eu', '-c', script.replaceAll('curl ', 'curl -fsS ')], {
    GATEWAY_URL: gateway.url,
    RABBITMQ_MANAGEMENT_URL: testManagementUrl()
  })
  t.equal(code, 0, stderr)
  // The management API publishes over AMQP 0.9.1, as the Python program of the page does.
  const properties = {
    content_type: 'application/json', message_id: 'm-1', type: 'order', app_id: 'web', headers: { tenant: 'acme' }
  }
  for (const value of ['application/json', 'm-1', 'order', 'web', 'acme']) t.match(page, `"${value}"`)
  const published = await ask(`/api/exchanges/%2f/${exchange}/publish`, {
    routing_key: 'order.created', payload: '{"order": 1}', payload_encoding: 'string', properties
  })
  t.match(published, { routed: true })

  const { text } = await gateway.get(`/v1/streams/${stream}/messages?wait=10`)
  const [{ header, ...message }] = JSON.parse(text.replaceAll(exchange, 'shop')).messages
  t.type(header, 'object', 'the table names it')
  t.same({ ...message, timestamp: '' }, { ...JSON.parse(shown), timestamp: '' })
})
