import { once, EventEmitter } from 'node:events'
import t, { type Test } from 'tap'
import * as jsClient from 'rabbitmq-stream-js-client'
import { CompressionType } from 'rabbitmq-stream-js-client/dist/compression.js'
import { messageToJsonText } from '../../src/messages/index.ts'
import { MessageBatch, type Broker } from '../../src/streams/index.ts'
import { Connection } from '../../src/streams/protocol/index.ts'
import { newStream, openBroker, testAddresses } from '../support/streams.ts'
import { exactly } from '../support/exactly.ts'

async function connectClient (t: Test): Promise<jsClient.Client> {
  const { host, port } = testAddresses()
  const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
  const client = await jsClient.connect({ hostname: host, port, ...login })
  t.teardown(async () => { await client.close() })
  return client
}

/** The messages of a stream as the API shows them. */
async function readJson (broker: Broker, stream: string): Promise<Array<Record<string, unknown>>> {
  const request = { from: { type: 'first' }, limit: 100, maxBytes: 1_000_000, waitMs: 0 } as const
  const batch = await broker.reading.read(stream, request, new AbortController().signal)
  const messages = batch.messages.map((message) => JSON.parse(messageToJsonText(message, 'auto')))
  batch.release()
  return messages
}

t.test('what the JavaScript client writes is read as it was written, sub-entry batches too', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const client = await connectClient(t)
  const publisher = await client.declarePublisher({ stream })
  await publisher.send(Buffer.from('hello'), {
    messageProperties: { subject: 'greeting', contentType: 'text/plain', messageId: 'm-1' },
    applicationProperties: { colour: 'green', size: 7 }
  })
  await publisher.flush()
  await publisher.sendSubEntries(['a', 'b', 'c'].map((text) => ({ content: Buffer.from(text) })), CompressionType.Gzip)
  let messages = await readJson(broker, stream)
  for (let tries = 0; tries < 200 && messages.length < 4; tries++) messages = await readJson(broker, stream)
  t.match(messages, exactly(
    {
      offset: 0,
      body: 'hello',
      properties: { subject: 'greeting', contentType: 'text/plain', messageId: 'm-1' },
      applicationProperties: { colour: 'green', size: 7 }
    },
    { offset: 1, body: 'a' },
    { offset: 2, body: 'b' },
    { offset: 3, body: 'c' }
  ))
})

t.test('the JavaScript client reads what the gateway writes', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const batch = new MessageBatch()
  batch.add({
    body: Buffer.from('{"a":1}'),
    properties: { contentType: 'application/json', subject: 's' },
    applicationProperties: [[{ type: 'string', value: 'k' }, { type: 'string', value: 'v' }]]
  })
  batch.addData(Buffer.from('line'))
  await broker.publishing.publish(stream, batch)
  const client = await connectClient(t)
  const received: Array<Parameters<Parameters<jsClient.Client['declareConsumer']>[1]>[0]> = []
  const arrivals = new EventEmitter()
  await client.declareConsumer({ stream, offset: jsClient.Offset.first() }, (message) => {
    received.push(message)
    arrivals.emit('message')
  })
  while (received.length < 2) await once(arrivals, 'message')
  t.equal(received[0]?.content.toString(), '{"a":1}')
  t.match(received[0]?.messageProperties, { contentType: 'application/json', subject: 's' })
  t.match(received[0]?.applicationProperties, { k: 'v' })
  t.equal(received[1]?.content.toString(), 'line')
})

t.test('the JavaScript client reads what the gateway writes compressed', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const texts = Array.from({ length: 500 }, (_, n) => `{"id":${n}}`)
  const session = broker.publishing.open(stream, { compression: 'gzip' })
  for (const [at, text] of texts.entries()) {
    const batch = new MessageBatch()
    batch.add({ body: Buffer.from(text), properties: { subject: `s-${at}`, contentType: 'application/json' } })
    await session.write(batch)
  }
  await session.flush()
  t.match(await session.finish(), { confirmed: 500 })
  const client = await connectClient(t)
  const received: string[] = []
  const arrivals = new EventEmitter()
  await client.declareConsumer({ stream, offset: jsClient.Offset.first() }, (message) => {
    received.push(`${message.messageProperties?.subject} ${message.content.toString()}`)
    if (received.length === texts.length) arrivals.emit('all')
  })
  if (received.length < texts.length) await once(arrivals, 'all')
  t.same(received, texts.map((text, at) => `s-${at} ${text}`))
})

t.test('an entry that is not AMQP does not end the read', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const { host, port } = testAddresses()
  const confirms = new EventEmitter()
  const connection = await Connection.open({
    host,
    port,
    authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
    virtualHost: '/',
    connectionName: 'poison',
    frameMaxBytes: 1024 * 1024,
    heartbeatSeconds: 60,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    handlers: {
      confirmed () { confirms.emit('confirmed', true) },
      publishFailed () { confirms.emit('confirmed', false) }, // 4.3 refuses compressions that are not defined
      delivered () {},
      metadataUpdated () {},
      creditRefused () {},
      closed () { confirms.emit('confirmed', false) }
    }
  })
  t.teardown(async () => { await connection.close() })
  await connection.declarePublisher(0, '', stream)
  const poison = Buffer.from('no AMQP')
  // The first bit of the entry says sub-entry batch, with compression 7, which is not defined.
  const subBatch = Buffer.concat([Buffer.from([0xf0, 0, 2]), uint32(5), uint32(5), Buffer.from('bytes')])
  const confirmed = once(confirms, 'confirmed')
  connection.publish(0, 1, [Buffer.concat([uint64(1), uint32(poison.length), poison])])
  await confirmed
  const confirmedAgain = once(confirms, 'confirmed')
  connection.publish(0, 1, [Buffer.concat([uint64(2), subBatch])])
  const [isStored] = await confirmedAgain
  const batch = new MessageBatch()
  batch.addData(Buffer.from('after'))
  await broker.publishing.publish(stream, batch)
  const unreadable = isStored === true ? [{ offset: 1, format: 'unreadable', records: 2 }] : []
  t.match(await readJson(broker, stream), exactly(
    { offset: 0, body: poison.toString('base64'), bodyEncoding: 'base64', format: 'unknown' },
    ...unreadable,
    { offset: isStored === true ? 3 : 1, body: 'after' }
  ))
})

function uint32 (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function uint64 (value: number): Buffer {
  return Buffer.concat([uint32(0), uint32(value)])
}
