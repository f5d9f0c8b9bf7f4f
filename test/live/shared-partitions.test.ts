import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import * as jsClient from 'rabbitmq-stream-js-client'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { startGateway } from '../support/gateway.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { fieldOf } from '../support/live-client.ts'
import { list, record } from '../support/schema-values.ts'
import { SharedWorker } from '../support/shared-worker.ts'
import { testAddresses } from '../support/streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const PARTITIONS = 12
const gateway = await startGateway(t)

async function newOrders (t: Test): Promise<string> {
  const name = `shared-${randomUUID().slice(0, 8)}`
  const { status } = await gateway.request('PUT', `/v1/super-streams/${name}`, { json: { partitions: PARTITIONS } })
  if (status !== 201) throw new Error(`the super stream was answered with ${status}`)
  t.teardown(async () => { await gateway.request('DELETE', `/v1/super-streams/${name}`) })
  return name
}

async function newGateway (t: Test): Promise<GatewayProcess> {
  const env = { AUTH: 'none', RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const started = await GatewayProcess.start({ env })
  t.teardown(async () => { await started.end('SIGKILL') })
  return started
}

/** Publishes messages of 60 keys, each with a number that ascends by key. */
async function publish (name: string, from: number, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, n) =>
    ({ routingKey: `key-${(from + n) % 60}`, body: { key: (from + n) % 60, number: from + n } }))
  const { status } = await gateway.request('POST', `/v1/super-streams/${name}/messages`, { json: { messages } })
  if (status !== 200) throw new Error(`the messages were answered with ${status}`)
}

async function balanced (workers: readonly SharedWorker[], each: number): Promise<void> {
  await until(`each worker has ${each} partitions`, () => workers.every(({ active }) => active.size === each), 30_000)
  const all = new Set(workers.flatMap(({ active }) => [...active]))
  if (all.size !== each * workers.length) throw new Error('a partition has two active workers')
}

t.test('three workers share twelve partitions; one is killed, and each message is processed, in order', async (t) => {
  const name = await newOrders(t)
  const workers = [0, 1, 2].map(() => new SharedWorker(t, gateway.url, name, 'c'))
  await balanced(workers, 4)
  await publish(name, 0, 600)
  await until('all is processed', () => processed(workers) >= 600)
  t.ok(workers.every(({ processed }) => processed.length > 0))

  let published = 600
  const load = (async () => {
    for (; published < 3600; published += 300) await publish(name, published, 300)
  })()
  await until('it is under way', () => processed(workers) >= 1200)
  const [dead, ...others] = workers
  dead?.kill()
  await load
  await balanced(others, 6)
  await until('all is processed', () => numbersOf(workers).size === 3600, 30_000)
  t.equal(numbersOf(workers).size, 3600, 'nothing is missing')
  const repeats = processed(workers) - 3600
  const uncommitted = dead === undefined ? 0 : dead.uncommitted
  t.ok(repeats <= uncommitted, `${repeats} came again, ${uncommitted} were not stored`)
  for (const worker of workers) t.same(worker.faults, [], 'in order by key')
  const { json } = await gateway.get(`/v1/super-streams/${name}/consumers/c/offset`)
  await until('all is stored', async () =>
    fieldOf((await gateway.get(`/v1/super-streams/${name}/consumers/c/offset`)).json, 'lag') === 0)
  t.equal(list(record(json)['partitions']).length, PARTITIONS)
})

t.test('a gateway that is killed hands its partitions over within a second, also to a native client', async (t) => {
  const name = await newOrders(t)
  const killed = await newGateway(t)
  const other = await newGateway(t)
  const [first, second] = [new SharedWorker(t, killed.url, name, 'c'), new SharedWorker(t, other.url, name, 'c')]
  await balanced([first, second], 6)

  const native = await nativeMember(t, name)
  await until('the native client has its share', () => first.active.size + second.active.size === 8, 30_000)
  await publish(name, 0, 600)
  await until('all is processed', () => processed([first, second]) + native.received.length >= 600)
  t.ok(native.received.length > 0 && first.processed.length > 0 && second.processed.length > 0)
  t.equal(new Set([...numbersOf([first, second]), ...native.received]).size, 600)

  const theirs = [...first.active]
  t.equal(theirs.length, 4)
  const startMs = performance.now()
  killed.child.kill('SIGKILL')
  await until('the other one has more', () => second.active.size >= 6)
  const tookMs = performance.now() - startMs
  t.ok(tookMs < 1000, `it took ${Math.round(tookMs)} ms`)
  await publish(name, 600, 600)
  await until('all is processed', () => {
    return new Set([...numbersOf([first, second]), ...native.received]).size === 1200
  }, 30_000)
  t.same(second.faults, [])
})

t.test('what a worker stores, others take over; a passive one stores nothing', async (t) => {
  const name = await newOrders(t)
  await publish(name, 0, 120)
  const first = new SharedWorker(t, gateway.url, name, 'c')
  await balanced([first], 12)
  await until('all is processed', () => first.processed.length === 120)
  await until('all is stored', () => first.uncommitted === 0)
  const second = new SharedWorker(t, gateway.url, name, 'c', '&autoCommit=true')
  await balanced([first, second], 6)
  t.equal(second.processed.length, 0, 'nothing that was stored comes again')
  first.kill()
  await balanced([second], 12)
  await publish(name, 120, 120)
  await until('all is processed', () => second.processed.length === 120)
  await until('it is stored', async () =>
    fieldOf((await gateway.get(`/v1/super-streams/${name}/consumers/c/offset`)).json, 'lag') === 0)
})

function processed (workers: readonly SharedWorker[]): number {
  return workers.reduce((sum, { processed }) => sum + processed.length, 0)
}

function numbersOf (workers: readonly SharedWorker[]): Set<number> {
  return new Set(workers.flatMap(({ processed }) => processed))
}

/** A native member of the group `c` of each partition. It stores what it has. */
async function nativeMember (t: Test, superStream: string): Promise<{ received: number[] }> {
  const { host, port } = testAddresses()
  const login = { username: 'guest', password: 'guest', vhost: '/', heartbeat: 0 }
  const client = await jsClient.connect({ hostname: host, port, ...login })
  t.teardown(async () => { await client.close().catch(() => {}) })
  const received: number[] = []
  await client.declareSuperStreamConsumer(
    { superStream, consumerRef: 'c', offset: jsClient.Offset.first() },
    async ({ content, offset }, consumer) => {
      received.push(Number(fieldOf(JSON.parse(content.toString()), 'number')))
      if (offset !== undefined) await consumer?.storeOffset(offset)
    }
  )
  return { received }
}
