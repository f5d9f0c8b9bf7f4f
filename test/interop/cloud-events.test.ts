import { CloudEvent, HTTP, type Message } from 'cloudevents'
import { once } from 'node:events'
import rhea from 'rhea'
import t, { type Test } from 'tap'
import { testAmqpUrl } from '../support/broker.ts'
import { event, postEvents } from '../support/cloud-events.ts'
import { startGateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'

// The JavaScript SDK of CloudEvents as the client: what it sends is stored, and what is stored it reads.
const gateway = await startGateway(t)

const ATTRIBUTES = {
  id: 'e-1',
  source: '/shops/7',
  type: 'com.example.order',
  subject: 'order 4711',
  time: '2026-01-31T12:00:00.000Z',
  dataschema: 'https://example.com/order.json',
  partitionkey: 'customer-42',
  count: 5,
  flag: true
}
const KINDS = [
  { datacontenttype: 'application/json', data: { order: 4711, lines: [1, 2] } },
  { datacontenttype: 'text/plain', data: 'hello' },
  { datacontenttype: 'application/octet-stream', data: new Uint8Array([0, 1, 2, 255]) },
  // In binary mode the SDK says that no data is JSON.
  { datacontenttype: 'application/json; charset=utf-8' }
]

async function send (stream: string, { headers, body }: Message): Promise<void> {
  const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  const options = { headers: sent, ...(body !== undefined && body !== null && { body: bytesOf(body) }) }
  const { status, text } = await gateway.request('POST', `/v1/streams/${stream}/events`, options)
  if (status !== 200) throw new Error(text)
}

function bytesOf (body: unknown): Buffer {
  if (body instanceof Uint8Array) return Buffer.from(body)
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** The events of a stream, as the SDK reads an answer. */
async function received (stream: string): Promise<ReadonlyArray<CloudEvent<unknown>>> {
  const { headers, text } = await gateway.get(`/v1/streams/${stream}/events`)
  const found = HTTP.toEvent({ headers: { 'content-type': String(headers['content-type']) }, body: text })
  if (!Array.isArray(found)) throw new Error('the SDK reads no batch')
  return found.map((one) => new CloudEvent<unknown>(one))
}

function withoutData (one: CloudEvent<unknown> | undefined): Record<string, unknown> {
  const { data: _, data_base64: __, count: ___, flag: ____, ...attributes } = one?.toJSON() ?? {}
  return attributes
}

function plain (data: unknown): unknown {
  return data instanceof Uint8Array ? Buffer.from(data) : data
}

for (const mode of ['structured', 'binary'] as const) {
  t.test(`events that the SDK sends in ${mode} mode are read by the SDK as they were`, async (t) => {
    const stream = await gateway.newStream(t)
    const sent = KINDS.map((kind) => new CloudEvent<unknown>({ ...ATTRIBUTES, ...kind }))
    for (const one of sent) await send(stream, HTTP[mode](one))
    const events = await received(stream)
    t.equal(events.length, sent.length)
    for (const [index, one] of events.entries()) {
      t.ok(one.validate())
      const before = sent[index]
      t.same(withoutData(one), withoutData(before))
      t.same(plain(one.data), plain(before?.data))
      // Headers are texts.
      t.same([one['count'], one['flag']], mode === 'binary' ? ['5', 'true'] : [5, true])
    }
  })
}

t.test('a batch that the SDK makes is stored, and one of the gateway is read', async (t) => {
  const stream = await gateway.newStream(t)
  const batch = [1, 2, 3].map((n) => new CloudEvent({ ...ATTRIBUTES, id: String(n), data: { n } }))
  t.match(await postEvents(gateway, stream, JSON.parse(JSON.stringify(batch))), { status: 200 })
  const events = await received(stream)
  t.same(events.map(({ id, data }) => [id, data]), [['1', { n: 1 }], ['2', { n: 2 }], ['3', { n: 3 }]])
})

t.test('the SDK reads messages that are no events, and events of all kinds that were sent without it', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, { a: 1 }, 'text', 7)
  await postEvents(gateway, stream, [
    event({ data_base64: 'AAEC', datacontenttype: 'image/png' }), event({ datacontenttype: 'text/xml', data: '<a/>' }),
    event({ time: '2026-01-31T12:00:00.123456789+01:00', data: null, datacontenttype: 'application/json' })
  ])
  const events = await received(stream)
  t.equal(events.length, 6)
  for (const one of events) t.ok(one.validate(), one.id)
  t.same(events.slice(0, 3).map(({ type, id, data }) => [type, id, data]), [
    ['rabbitmq.stream.message', '0', { a: 1 }], ['rabbitmq.stream.message', '1', 'text'],
    ['rabbitmq.stream.message', '2', 7]
  ])
})

/** A client of AMQP 1.0 at a stream, which follows the AMQP binding by hand. */
function amqpClient (t: Test) {
  const { hostname, port, username, password } = new URL(testAmqpUrl())
  const connection = rhea.create_container().connect({ host: hostname, port: Number(port), username, password })
  t.teardown(() => { connection.close() })
  const addressOf = (stream: string) => `/queues/${encodeURIComponent(stream)}`
  return {
    async send (stream: string, messages: readonly rhea.Message[]) {
      const sender = connection.open_sender(addressOf(stream))
      await once(sender, 'sendable')
      for (const message of messages) {
        sender.send(message)
        await once(sender, 'accepted')
      }
    },
    async receive (stream: string, count: number) {
      const messages: rhea.Message[] = []
      const spec = 'rabbitmq:stream-offset-spec'
      const filter = { [spec]: rhea.types.wrap_described('first', spec) }
      const source = { address: addressOf(stream), filter }
      const receiver = connection.open_receiver({ source, credit_window: count })
      receiver.on('message', ({ message }: rhea.EventContext) => { if (message !== undefined) messages.push(message) })
      await until('the messages', () => messages.length >= count)
      receiver.close()
      return messages
    }
  }
}

t.test('events that a client of AMQP 1.0 writes are read, in both modes and with types of AMQP', async (t) => {
  const stream = await gateway.newStream(t)
  const time = new Date('2026-01-31T12:00:00.123Z')
  const attributes = (prefix: string) => Object.fromEntries(Object.entries({
    specversion: '1.0',
    id: 'a-1',
    source: '/shops/7',
    type: 'com.example.order',
    time: rhea.types.wrap_timestamp(time.getTime()),
    count: rhea.types.wrap_long(-5),
    flag: true,
    bytes: rhea.types.wrap_binary(Buffer.from([0, 1, 2]))
  }).map(([name, value]) => [prefix + name, value]))
  const whole = { specversion: '1.0', id: 'a-2', source: '/a', type: 'b', data: [1] }
  await amqpClient(t).send(stream, [
    ...['cloudEvents_', 'cloudEvents:'].map((prefix): rhea.Message => ({
      application_properties: attributes(prefix),
      content_type: 'application/json',
      body: rhea.message.data_section(Buffer.from('{"order":4711}'))
    })),
    {
      content_type: 'application/cloudevents+json; charset=utf-8',
      application_properties: attributes('cloudEvents_'),
      body: rhea.message.data_section(Buffer.from(JSON.stringify(whole)))
    }
  ])
  const events = await until('the events', async () => {
    const { json } = await gateway.get(`/v1/streams/${stream}/events`)
    return Array.isArray(json) && json.length === 3 && json
  })
  const one = {
    specversion: '1.0',
    id: 'a-1',
    source: '/shops/7',
    type: 'com.example.order',
    time: time.toISOString(),
    count: -5,
    flag: true,
    bytes: 'AAEC',
    datacontenttype: 'application/json',
    data: { order: 4711 }
  }
  t.same(events, [one, one, whole])
})

t.test('a client of AMQP 1.0 reads what the gateway has stored', async (t) => {
  const stream = await gateway.newStream(t)
  const nested = event({ id: 'outer', datacontenttype: 'application/cloudevents+json', data: event({ id: 'inner' }) })
  await postEvents(gateway, stream, [event({ ...ATTRIBUTES, datacontenttype: 'text/xml', data: '<a/>' }), nested])
  const [first, second] = await amqpClient(t).receive(stream, 2)
  const attributes = Object.entries({ specversion: '1.0', ...ATTRIBUTES })
  t.same(first?.application_properties, Object.fromEntries(
    attributes.map(([name, value]) => [`cloudEvents_${name}`, value])
  ))
  t.match(first, { content_type: 'text/xml', body: { content: Buffer.from('<a/>') } })
  t.match(second, { content_type: 'application/cloudevents+json', application_properties: { cloudEvents_id: 'outer' } })
  t.same(JSON.parse(String(second?.body.content)), nested)
})
