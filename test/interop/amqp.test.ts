import { once } from 'node:events'
import rhea from 'rhea'
import t, { type Test } from 'tap'
import { testAmqpUrl } from '../support/broker.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

// Messages that come by AMQP 1.0, through the broker's own conversion.

/** Sends messages to a stream by AMQP 1.0; settles when the broker has accepted all of them. */
async function sendByAmqp (t: Test, stream: string, messages: readonly rhea.Message[]): Promise<void> {
  const { hostname, port, username, password } = new URL(testAmqpUrl())
  const connection = rhea.create_container().connect({ host: hostname, port: Number(port), username, password })
  t.teardown(() => { connection.close() })
  const sender = connection.open_sender(`/queues/${encodeURIComponent(stream)}`)
  await once(sender, 'sendable')
  for (const message of messages) {
    sender.send(message)
    await once(sender, 'accepted')
  }
}

async function readMessages (gateway: Gateway, stream: string, count: number): Promise<unknown[]> {
  return await until('the messages are there', async () => {
    const { json } = await gateway.get(`/v1/streams/${stream}/messages`)
    const messages = typeof json === 'object' && json !== null && 'messages' in json ? json.messages : undefined
    return Array.isArray(messages) && messages.length >= count ? messages : undefined
  })
}

t.test('every section of a message that came by AMQP is shown, and kept by a copy', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  await sendByAmqp(t, stream, [{
    durable: true,
    priority: 9,
    ttl: 60_000,
    message_annotations: { 'x-trace': 'a1' },
    subject: 'order',
    application_properties: { tenant: 'acme' },
    body: rhea.message.data_section(Buffer.from('hello'))
  }])
  const [message] = await readMessages(gateway, stream, 1)
  t.match(message, {
    header: { durable: true, priority: 9, ttlMs: 60_000 },
    messageAnnotations: { 'x-trace': 'a1' },
    properties: { subject: 'order' },
    applicationProperties: { tenant: 'acme' },
    body: 'hello'
  })

  const copy = await gateway.newStream(t)
  const published = await gateway.request('POST', `/v1/streams/${copy}/messages`, { json: { messages: [message] } })
  t.equal(published.status, 200, published.text)
  const [copied] = await readMessages(gateway, copy, 1)
  const withoutTime = (read: unknown) => ({ ...(typeof read === 'object' ? read : {}), timestamp: undefined })
  t.same(withoutTime(copied), withoutTime(message))
})
