import { Connection } from '../../src/streams/protocol/index.ts'
import type { Bench } from '../bench.ts'
import { compare } from '../compare.ts'
import type { BenchGateway } from '../gateway.ts'
import { ratioGoal, type Case, type Goal } from './case.ts'
import { jsonOf, publishSide, type Batch } from './publish.ts'

const MESSAGES = 1000
const BODY_BYTES = 100
const STORED_GOAL = 0.25

/** Compressed entries beside messages that are entries of their own. */
export const compressionCases: readonly Case[] = [
  {
    name: 'publish-gzip',
    workload: `${MESSAGES.toLocaleString('en')} different lines of ${BODY_BYTES} B of JSON a request, compression=gzip`,
    baseline: 'the same lines without compression',
    async run (bench, amount) {
      const gateway = await bench.gateway()
      const [compressed, plain] = [await bench.stream(gateway), await bench.stream(gateway)]
      const batch = orders()
      const gzip = { ...batch, path: `${batch.path}?compression=gzip` }
      const stored = await storedBytes(bench, gateway, gzip) / await storedBytes(bench, gateway, batch)
      const candidate = await publishSide(bench, gateway, compressed, gzip)
      const baseline = await publishSide(bench, await bench.gateway(), plain, batch)
      const comparison = await compare(candidate, baseline, amount)
      return { ...comparison, goals: [ratioGoal(1, comparison.ratio), storedGoal(stored)] }
    }
  }
]

/** Lines that look alike, as orders of a shop do: numbers, a word and two random texts differ. */
function orders (): Batch {
  const words = ['berlin', 'paris', 'rome', 'madrid', 'oslo', 'vienna', 'lisbon']
  const line = (n: number): string => {
    const order = { ...jsonOf(BODY_BYTES), id: 10_000 + n, total: 10 + (n * 7919 % 990) / 10, note: '' }
    const hash = (by: number): string => (n * by % 2 ** 32).toString(36)
    const note = `${hash(2_654_435_761)} to ${words[n % words.length] ?? ''} by ${hash(40_503)} ${hash(1_597_334_677)}`
    const left = BODY_BYTES - JSON.stringify(order).length
    return JSON.stringify({ ...order, note: note.padEnd(left, '.').slice(0, left) })
  }
  return {
    path: 'messages/lines',
    headers: { 'content-type': 'application/x-ndjson' },
    body: Array.from({ length: MESSAGES }, (_, n) => `${line(n)}\n`).join(''),
    messagesPerRequest: MESSAGES,
    bodyBytes: BODY_BYTES
  }
}

/** How many bytes of entries the broker stores for one request. */
async function storedBytes (bench: Bench, gateway: BenchGateway, { path, headers, body }: Batch): Promise<number> {
  const stream = await bench.stream(gateway)
  const response = await fetch(`${gateway.url}/v1/streams/${stream}/${path}`, { method: 'POST', headers, body })
  if (!response.ok) throw new Error(await response.text())
  await response.arrayBuffer()
  return await bytesOf(bench.streamPort, stream)
}

/** Reads the stream up to the last message of the request. */
async function bytesOf (port: number, stream: string): Promise<number> {
  let bytes = 0
  let messages = 0
  const ignored = (): void => {}
  const { promise, done, failed } = settleable()
  const connection = await Connection.open({
    host: '127.0.0.1',
    port,
    authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
    virtualHost: '/',
    connectionName: 'bench',
    frameMaxBytes: 1024 * 1024,
    heartbeatSeconds: 60,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    handlers: {
      confirmed: ignored,
      publishFailed: ignored,
      metadataUpdated: ignored,
      creditRefused: ignored,
      closed: failed,
      delivered (_subscriptionId, chunk) {
        bytes += chunk.data.length
        messages += chunk.recordCount
        if (messages === MESSAGES) done()
      }
    }
  })
  await connection.subscribe(0, stream, { type: 'first' }, 100, new Map())
  await promise
  await connection.close()
  return bytes
}

function settleable (): { promise: Promise<void>, done: () => void, failed: (error: Error) => void } {
  let [done, failed] = [(): void => {}, (_error: Error): void => {}]
  const promise = new Promise<void>((resolve, reject) => { [done, failed] = [resolve, reject] })
  return { promise, done: () => { done() }, failed: (error) => { failed(error) } }
}

function storedGoal (part: number): Goal {
  return { text: `stored bytes <= ${STORED_GOAL} x`, measured: `${part.toFixed(2)} x`, isMet: part <= STORED_GOAL }
}
