import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { encodeEntry, readEntry } from '../../src/push/errors/error-entry.ts'
import { ErrorStream, type ErrorStreamOptions } from '../../src/push/errors/error-stream.ts'
import type { RetryState } from '../../src/push/delivery/delivery.ts'
import { decodeMessage, MessageBatch, type Broker } from '../../src/streams/index.ts'
import { newStream, openBroker, streamOf, testAddresses } from '../support/streams.ts'
import { throughProxy } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'

const STATE: RetryState = {
  offset: 0,
  attempts: 3,
  counted: 3,
  failure: 'message',
  status: 422,
  error: '422 not a valid order',
  firstFailedAt: 1_700_000_000_000,
  failedAt: 1_700_000_009_000,
  nextAttemptAt: 0
}
const FRAME_BYTES = 1024 * 1024
const SIGNAL = new AbortController().signal

interface Writer { errors: ErrorStream, name: string, reasons: Array<string | null>, warnings: unknown[] }

/** The error stream `<source>_errors`, deleted with the test, and all that it says. */
function writerOf (t: Test, broker: Broker, source: string, options: Partial<ErrorStreamOptions> = {}): Writer {
  const name = `${source}_errors`
  const reasons: Array<string | null> = []
  const warnings: unknown[] = []
  t.teardown(async () => { await broker.streams.delete(name).catch(() => {}) })
  const errors = new ErrorStream({
    broker,
    errorStream: name,
    source,
    owner: { subscription: 'billing', superStream: '' },
    redrive: '',
    publisher: 'push.billing.7',
    blocked: (reason) => { reasons.push(reason) },
    logger: { debug () {}, info () {}, error () {}, warn: (fields: object) => { warnings.push(fields) } },
    ...options
  })
  return { errors, name, reasons, warnings }
}

async function messagesOf (broker: Broker, stream: string) {
  const request = { from: { type: 'first' }, limit: 1000, maxBytes: 8 * FRAME_BYTES, waitMs: 0 } as const
  const batch = await broker.reading.read(stream, request, SIGNAL)
  const messages = batch.messages.map((message) => ({ ...message, bytes: Buffer.from(message.bytes) }))
  batch.release()
  return messages
}

const writeAll = async (errors: ErrorStream, messages: Awaited<ReturnType<typeof messagesOf>>) => {
  for (const message of messages) await errors.write(message, { ...STATE, offset: message.offset }, SIGNAL)
}

async function originsIn (broker: Broker, stream: string) {
  return (await messagesOf(broker, stream)).map(({ bytes }) => readEntry(bytes)?.origin.offset)
}

t.test('an entry is the message with annotations, and a repeated one after a takeover is not stored', async (t) => {
  const broker = openBroker(t)
  const source = await newStream(t, broker, { maxAge: '5D', maxLengthBytes: 500_000_000 })
  const batch = new MessageBatch()
  batch.add({
    properties: { subject: 'order', groupId: 'eu' },
    applicationProperties: [[{ type: 'string', value: 'k' }, { type: 'int', value: 1 }]],
    messageAnnotations: [[{ type: 'symbol', value: 'x-own' }, { type: 'boolean', value: true }]],
    body: Buffer.from('{"id":1}')
  })
  batch.addEncoded(Buffer.from('not AMQP at all'))
  await broker.publishing.publish(source, batch)
  const messages = await messagesOf(broker, source)
  const first = writerOf(t, broker, source)
  await writeAll(first.errors, messages)
  const second = writerOf(t, broker, source)
  await writeAll(second.errors, messages)
  const entries = (await messagesOf(broker, first.name)).map(({ bytes }) => bytes)
  t.equal(entries.length, 2)
  t.same(second.warnings, [])
  t.same(second.reasons, [null, null])
  t.test('with what is known of the failure', async (t) => {
    const [bytes = Buffer.alloc(0), unknown = Buffer.alloc(0)] = entries
    const { messageAnnotations = [], ...others } = decodeMessage(bytes)
    const { messageAnnotations: own, ...expected } = decodeMessage(messages[0]?.bytes ?? bytes)
    t.same(others, expected)
    t.same(messageAnnotations.slice(0, 1), own)
    t.same(messageAnnotations.map(([key, value]) => [key, value].map((of) => 'value' in of && of.value)), [
      ['x-own', true],
      ['x-push-subscription', 'billing'],
      ['x-push-stream', source],
      ['x-push-offset', 0n],
      ['x-push-timestamp', BigInt(messages[0]?.timestamp ?? 0)],
      ['x-push-attempts', 3],
      ['x-push-class', 'message'],
      ['x-push-status', 422],
      ['x-push-error', '422 not a valid order'],
      ['x-push-first-failed-at', 1_700_000_000_000n],
      ['x-push-failed-at', 1_700_000_009_000n]
    ])
    t.ok(messages[0]?.bytes.equals(readEntry(bytes)?.original ?? Buffer.alloc(0)))
    t.equal(Buffer.from(readEntry(unknown)?.original ?? []).toString(), 'not AMQP at all')
  })
  t.test('in a stream with the retention of the source', async (t) => {
    const { arguments: args } = await broker.streams.describe(first.name)
    t.match(args, { maxAge: '5D', maxLengthBytes: 500_000_000 })
  })
})

t.test('an entry that the broker takes for a duplicate although it is not there is not lost', async (t) => {
  const broker = openBroker(t)
  const source = await streamOf(t, broker, 5)
  const messages = await messagesOf(broker, source)
  const before = writerOf(t, broker, source)
  await writeAll(before.errors, messages.slice(3))
  // A generation that has not grown, and offsets from the beginning.
  const after = writerOf(t, broker, source)
  await writeAll(after.errors, messages.slice(0, 3))
  t.same(await originsIn(broker, before.name), [3, 4, 0, 1, 2])
  t.equal(after.warnings.length, 1)
})

t.test('an error stream that is deleted is created again, and takes the next entry', async (t) => {
  const broker = openBroker(t)
  const source = await streamOf(t, broker, 3)
  const messages = await messagesOf(broker, source)
  const { errors, name, reasons } = writerOf(t, broker, source)
  await writeAll(errors, messages.slice(0, 2))
  await broker.streams.delete(name)
  await writeAll(errors, messages.slice(2))
  t.same(await originsIn(broker, name), [2])
  t.same(reasons.at(-1), null)
})

t.test('an error stream that cannot be written is tried until it can, and says why', async (t) => {
  const broker = openBroker(t)
  const source = await streamOf(t, broker, 1)
  const messages = await messagesOf(broker, source)
  const { errors, name, reasons } = writerOf(t, broker, source)
  await askManagement('PUT', name)
  const written = writeAll(errors, messages)
  await until('a reason', () => reasons.length >= 2)
  t.match(reasons[0], /the error stream cannot be written: /)
  const aborter = new AbortController()
  const other = writerOf(t, broker, source)
  const failed = { offset: 0, timestamp: 0, bytes: Buffer.from('text') }
  const rejected = t.rejects(other.errors.write(failed, STATE, aborter.signal), { message: 'stop' })
  await until('another reason', () => other.reasons.length > 0)
  aborter.abort(new Error('stop'))
  await rejected
  await askManagement('DELETE', name)
  await written
  t.equal(reasons.at(-1), null)
  t.same(await originsIn(broker, name), [0])
})

t.test('connections that break while entries are written cost no entry and double none', async (t) => {
  const { proxy, broker, direct, stream: source } = await throughProxy(t)
  await direct.publishing.publish(source, batchOf(40))
  const messages = await messagesOf(direct, source)
  const { errors, name } = writerOf(t, direct, source, { broker })
  const breaking = setInterval(() => { proxy.killConnections() }, 150)
  try {
    await writeAll(errors, messages)
  } finally {
    clearInterval(breaking)
  }
  t.same(await originsIn(direct, name), messages.map(({ offset }) => offset))
})

t.test('a message that fills a frame keeps every byte: the annotations give way', async (t) => {
  const broker = openBroker(t)
  const source = await newStream(t, broker)
  const { errors, name, reasons } = writerOf(t, broker, source)
  const state = { ...STATE, error: 'ä'.repeat(4000) }
  const bodies = [600, 220, 90].map((room) => Buffer.alloc(FRAME_BYTES - room, room & 0xff))
  for (const [offset, body] of bodies.entries()) {
    const batch = new MessageBatch()
    batch.addData(body)
    await errors.write({ offset, timestamp: 5, bytes: batch.entries(0, 1).subarray(12) }, state, SIGNAL)
  }
  const entries = await messagesOf(broker, name)
  const annotations = entries.map(({ bytes }) => decodeMessage(bytes).messageAnnotations ?? [])
  t.same(annotations.map((map) => map.length), [10, 4, 1])
  t.same(entries.map(({ bytes }) => bytes.length > FRAME_BYTES - 600), [true, true, true])
  t.same(entries.map(({ bytes }, index) => bodyOf(bytes).equals(bodies[index] ?? Buffer.alloc(0))), [true, true, true])
  t.same(reasons, [null, null, null])
})

t.test('of an error only the first kibibyte is kept, and whole characters', async (t) => {
  const facts = {
    owner: { subscription: 's', superStream: 'super' },
    origin: { stream: 'super-0', offset: 9, timestamp: 8 },
    redrive: 'r1',
    failure: { ...STATE, status: undefined, error: 'x' + 'ä'.repeat(2000) }
  }
  const entry = encodeEntry(Buffer.from([0x00, 0x53, 0x75, 0xa0, 0]), facts)
  const map = decodeMessage(entry).messageAnnotations ?? []
  const error = map.find(([key]) => key.type === 'symbol' && key.value === 'x-push-error')?.[1]
  t.equal(error?.type === 'string' && error.value, 'x' + 'ä'.repeat(511))
  const { owner, origin } = facts
  t.match(readEntry(entry), { owner, origin, redrive: 'r1', failure: 'message', status: undefined })
  t.equal(readEntry(encodeEntry(Buffer.from('text'), facts, 10)), undefined)
})

function batchOf (count: number): MessageBatch {
  const batch = new MessageBatch()
  for (let index = 0; index < count; index++) batch.addData(Buffer.from(randomUUID()))
  return batch
}

// A queue that is not a stream, by the name of the stream.
async function askManagement (method: 'PUT' | 'DELETE', name: string): Promise<void> {
  const url = new URL(`/api/queues/%2f/${name}`, testAddresses().managementUrl)
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`
  const headers = { authorization, 'content-type': 'application/json' }
  const { status } = await fetch(url, { method, headers, ...(method === 'PUT' && { body: '{"durable":true}' }) })
  if (status >= 300) throw new Error(`the management API has answered ${status}`)
}

function bodyOf (bytes: Uint8Array): Buffer {
  const { body } = decodeMessage(bytes)
  return Buffer.concat(body.kind === 'data' ? body.sections : [])
}
