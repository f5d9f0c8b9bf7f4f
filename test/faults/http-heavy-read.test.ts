import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import * as lz4 from 'lz4-napi'
import * as snappy from 'snappy'
import t from 'tap'
import type { AmqpValue, OutgoingMessage } from '../../src/streams/index.ts'
import { testStreamUrl } from '../support/broker.ts'
import type { Burst, BurstResult } from '../support/burst.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { recordsOf, storeByAmqp, storeMessages, storeSubEntries } from '../support/heavy-stream.ts'
import { newStream, openBroker } from '../support/streams.ts'

t.setTimeout(600_000)

const KIB = 1024
const MIB = 1024 * KIB
const READERS = 24
// Of reads, of publishes and of bodies: what docs/operations.md bounds the memory with.
const BUDGETS_BYTES = (256 + 128 + 256) * MIB
const MAX_DELAY_MS = 50
const MAX_LIVE_MS = 100
// The gateway shares its cores with the broker, the clients and whatever else runs. A turn that is too long is so in
// every round, and when this process, which does little, is not late.
const MAX_ROUNDS = 5
const INTERVAL_MS = 10

const broker = openBroker(t)
const gateway = await GatewayProcess.start({
  env: { RABBITMQ_STREAM_URL: testStreamUrl() }, forgetsRequests: true
})
t.teardown(async () => { await gateway.end() })
const idleBytes = gateway.residentBytes

async function longestDelayMs (): Promise<number> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  return 1000 * Number(/^rabbitmq_stream_gateway_event_loop_delay_max_seconds (\S+)$/m.exec(text)?.[1])
}

/** All readers ask for the same at once, in a process of their own. */
async function readAtOnce (path: string, accept: string): Promise<BurstResult> {
  const head = `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAccept: ${accept}\r\n\r\n`
  const burst: Burst = {
    port: gateway.port, connections: READERS, head, piece: '', repeat: 0, tail: '', readPauseMs: 0
  }
  const args = ['--import', 'tsx', 'test/support/burst.ts', JSON.stringify(burst)]
  return JSON.parse((await promisify(execFile)(process.execPath, args, { maxBuffer: 64 * MIB })).stdout)
}

/** The longest time that `/health/live` took until the signal. */
async function slowestLiveMs (signal: AbortSignal): Promise<number> {
  let slowestMs = 0
  while (!signal.aborted) {
    const startMs = performance.now()
    await (await fetch(`${gateway.url}/health/live`)).arrayBuffer()
    slowestMs = Math.max(slowestMs, performance.now() - startMs)
    await new Promise((resolve) => { setTimeout(resolve, 10) })
  }
  return slowestMs
}

/** By how much this process was late at most until the signal: what the machine adds to every measurement. */
async function noiseMs (signal: AbortSignal): Promise<number> {
  let longestMs = 0
  for (let dueMs = performance.now() + INTERVAL_MS; !signal.aborted; dueMs = performance.now() + INTERVAL_MS) {
    await new Promise((resolve) => { setTimeout(resolve, INTERVAL_MS) })
    longestMs = Math.max(longestMs, performance.now() - dueMs)
  }
  return longestMs
}

/** What a round of reads did, without the noise of the machine. */
interface Round { delayMs: number, liveMs: number, result: BurstResult }

async function round (path: string, accept: string): Promise<Round> {
  await longestDelayMs() // begins a new measurement
  const over = new AbortController()
  const [live, noise] = [slowestLiveMs(over.signal), noiseMs(over.signal)]
  const result = await readAtOnce(path, accept)
  over.abort()
  const [delayMs, liveMs, lateMs] = [await longestDelayMs(), await live, await noise]
  return { delayMs: delayMs - lateMs, liveMs: liveMs - 2 * lateMs, result }
}

const text = (value: string): AmqpValue => ({ type: 'string', value })
const properties = (count: number) => Array.from({ length: count }, (_, n) => [text(`key ${n}`), text(`${n}`)] as const)
const zeros = (count: number) => Array.from({ length: count }, () => ({ body: Buffer.alloc(MIB) }))

async function storeCompressed (
  stream: string, compression: number, messages: OutgoingMessage[], write: (raw: Buffer) => Buffer | Promise<Buffer>
): Promise<void> {
  const raw = recordsOf(messages)
  await storeSubEntries(stream, { compression, body: await write(raw), count: messages.length, length: raw.length })
}

async function snappyFrames (raw: Buffer): Promise<Buffer> {
  const compressor = new snappy.Compressor()
  return Buffer.concat([compressor.update(raw), await compressor.finish()])
}

const inputs: Array<[name: string, store: (stream: string) => Promise<void>]> = [
  ['a gzip batch that expands to 60 MB', async (stream) => await storeCompressed(stream, 1, zeros(58), gzipSync)],
  ['an LZ4 batch that expands to 60 MB', async (stream) =>
    await storeCompressed(stream, 3, zeros(58), (raw) => lz4.compressFrameSync(raw))],
  ['a Snappy batch that expands to 15 MB', async (stream) =>
    await storeCompressed(stream, 2, zeros(15), snappyFrames)],
  ['control characters', async (stream) => {
    await storeMessages(broker, stream, Array.from({ length: 16 }, () => ({ body: Buffer.alloc(1000 * KIB, 1) })))
  }],
  ['80 messages of 10,000 properties', async (stream) => {
    const message = { body: Buffer.from('x'), applicationProperties: properties(10_000) }
    await storeMessages(broker, stream, Array.from({ length: 80 }, () => message))
  }],
  ['a message of a million properties', async (stream) =>
    await storeByAmqp(stream, {
      body: Buffer.from('x'), applicationProperties: properties(700_000).map(([key]) => [key, { type: 'null' }])
    })],
  ['a list of a million values', async (stream) =>
    await storeByAmqp(stream, {
      body: { kind: 'value', value: { type: 'list', value: Array.from({ length: 3_000_000 }, () => text('abc')) } }
    })],
  ['one value of 15 MB of text', async (stream) =>
    await storeByAmqp(stream, { body: { kind: 'value', value: text('"é\n '.repeat(3 * MIB)) } })],
  ['a JSON body of 15 MB of empty objects', async (stream) =>
    await storeByAmqp(stream, {
      body: Buffer.from(`[${'{},'.repeat(5 * MIB)}{}]`), properties: { contentType: 'application/json' }
    })],
  ['a body of 15 MB that is almost JSON', async (stream) =>
    await storeByAmqp(stream, { body: Buffer.alloc(15 * MIB, '['), properties: { contentType: 'application/json' } })],
  ['15 MB of bytes', async (stream) => await storeByAmqp(stream, { body: Buffer.alloc(15 * MIB, 0xff) })]
]

// Whatever is read, others are served meanwhile, and memory stays within the budget.
for (const [name, store] of inputs) {
  t.test(`${name}: nobody else waits for it`, async (t) => {
    const stream = await newStream(t, broker)
    await store(stream)
    const query = `?offset=0&limit=10000&maxBytes=${16 * MIB}`
    const wanted = [
      ['messages', 'application/json'], ['messages/lines', 'text/plain'], ['messages/0/raw', '*/*']
    ] as const
    for (const [route, accept] of wanted) {
      const path = `/v1/streams/${stream}/${route}${/\/0/.test(route) ? '' : query}`
      let best: Round | undefined
      for (let rounds = 0; rounds < MAX_ROUNDS; rounds++) {
        const next = await round(path, accept)
        if (best === undefined || next.delayMs < best.delayMs) best = next
        if (next.delayMs <= MAX_DELAY_MS && next.liveMs < MAX_LIVE_MS) break
      }
      if (best === undefined) throw new Error('no round was run')
      const { delayMs, liveMs, result: { statuses, receivedBytes, durationMs } } = best
      // 422: an entry that is too large to decode is a line of its own, and its bytes may hold a line feed.
      const { 200: done = 0, 422: notALine = 0, 503: refused = 0, ...others } = statuses
      const what = `${route} as ${accept}: ${done} answered, ${refused} refused, ` +
        `${Math.round(receivedBytes / MIB)} MiB in ${durationMs} ms`
      t.ok(delayMs <= MAX_DELAY_MS, `${what}; the longest turn took ${delayMs.toFixed(1)} ms`)
      t.ok(liveMs < MAX_LIVE_MS, `${what}; /health/live took ${liveMs.toFixed(1)} ms at most`)
      t.ok(done > 0 || (notALine > 0 && route === 'messages/lines'), `${what}; some were answered`)
      t.same(others, {}, `${what}; nothing but 200, 422 and 503`)
    }
    const boundBytes = 1.25 * (idleBytes + BUDGETS_BYTES)
    const peakBytes = gateway.peakResidentBytes
    t.ok(peakBytes <= boundBytes, `peak ${Math.round(peakBytes / MIB)} MiB of ${Math.round(boundBytes / MIB)} MiB`)
  })
}
