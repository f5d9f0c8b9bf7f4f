import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import {
  BrokerSet,
  MessageBatch,
  dataBodyOf,
  type Broker,
  type BrokerSetOptions,
  type Position,
  type ReadBatch
} from '../../src/streams/index.ts'

const quiet = { debug () {}, info () {}, warn () {}, error () {} }

/** Addresses from the environment that the test runner sets. */
export function testAddresses (): { host: string, port: number, managementUrl: string } {
  const { TEST_STREAM_URL, TEST_MANAGEMENT_URL } = process.env
  if (TEST_STREAM_URL === undefined || TEST_MANAGEMENT_URL === undefined) {
    throw new Error('TEST_STREAM_URL and TEST_MANAGEMENT_URL are not set: run the tests by `npm test`')
  }
  const { hostname, port } = new URL(TEST_STREAM_URL)
  return { host: hostname, port: Number(port), managementUrl: new URL(TEST_MANAGEMENT_URL).origin }
}

/** All that a test may want to set, on one level. */
export type TestBrokerOptions =
  & BrokerSetOptions['connection']
  & BrokerSetOptions['publishing']
  & BrokerSetOptions['reading']
  & BrokerSetOptions['limits']
  & { management: Omit<NonNullable<BrokerSetOptions['management']>, 'timeoutMs'> | undefined }
  & { streamNamePattern: string }

/** A broker of the domain on the test's RabbitMQ, closed with the test. */
export function openBroker (t: Test, overrides: Partial<TestBrokerOptions> = {}): Broker {
  const { host, port, managementUrl } = testAddresses()
  const options: TestBrokerOptions = {
    hosts: [{ host, port }],
    authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
    virtualHost: '/',
    addressMode: 'advertised',
    management: { url: managementUrl, username: 'guest', password: 'guest' },
    streamNamePattern: '{name}',
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    confirmTimeoutMs: 20_000,
    heartbeatSeconds: 60,
    reconnectDelayMs: 50,
    maxReconnectDelayMs: 500,
    connectionIdleMs: 60_000,
    frameMaxBytes: 1024 * 1024,
    publishBudgetBytes: 64 * 1024 * 1024,
    readBudgetBytes: 64 * 1024 * 1024,
    readerWindowBytes: 1024 * 1024,
    maxPublishers: 1000,
    maxReaders: 1000,
    maxConnections: 1000,
    readerIdleMs: 30_000,
    maxScanBytes: 64 * 1024 * 1024,
    publisherIdleMs: 30_000,
    maxExpandedSubEntryBytes: 16 * 1024 * 1024,
    ...overrides
  }
  const { management, streamNamePattern } = options
  const brokers = new BrokerSet({
    connection: options,
    ...(management && { management: { ...management, timeoutMs: 10_000 } }),
    streamNamePattern,
    publishing: options,
    reading: options,
    limits: options,
    logger: quiet
  })
  t.teardown(async () => { await brokers.close() })
  return brokers.own
}

/** A new stream, deleted with the test. */
export async function newStream (
  t: Test,
  broker: Broker,
  args: Parameters<Broker['streams']['create']>[1] = {}
): Promise<string> {
  const stream = `test-${randomUUID()}`
  await broker.streams.create(stream, args)
  t.teardown(async () => { await broker.streams.delete(stream).catch(() => {}) })
  return stream
}

/** A new stream with this many numbered messages, deleted with the test. */
export async function streamOf (t: Test, broker: Broker, count: number): Promise<string> {
  const stream = await newStream(t, broker)
  await broker.publishing.publish(stream, batchOf(numbered(count)))
  return stream
}

export function batchOf (bodies: readonly string[], firstPublishingId?: number): MessageBatch {
  const batch = new MessageBatch()
  bodies.forEach((body, index) => {
    batch.addData(Buffer.from(body), firstPublishingId === undefined ? undefined : firstPublishingId + index)
  })
  return batch
}

/** `count` bodies that can be told apart. */
export function numbered (count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, index) => `message ${from + index}`)
}

/** Reads once and gives the memory back. */
export async function readOnce (
  broker: Broker,
  stream: string,
  from: Position,
  { limit = 100, maxBytes = 1024 * 1024, waitMs = 0 } = {}
): Promise<
  Pick<ReadBatch, 'messages' | 'nextOffset' | 'endOfStream' | 'gap'> & { bodies: string[], offsets: number[] }
> {
  const request = { from, limit, maxBytes, waitMs }
  const batch = await broker.reading.read(stream, request, new AbortController().signal)
  const bodies = batch.messages.map(({ bytes }) => Buffer.from(dataBodyOf(bytes) ?? []).toString())
  const { messages, nextOffset, endOfStream, gap } = batch
  batch.release()
  return { messages, nextOffset, endOfStream, gap, bodies, offsets: messages.map(({ offset }) => offset) }
}

/** Follows `nextOffset` from the offset to the end of the stream. */
export async function readAll (broker: Broker, stream: string, from = 0, limit = 1000): Promise<string[]> {
  const bodies: string[] = []
  for (let offset = from; ;) {
    const batch = await readOnce(broker, stream, { type: 'offset', offset }, { limit })
    bodies.push(...batch.bodies)
    if (batch.endOfStream) return bodies
    offset = batch.nextOffset
  }
}
