import t from 'tap'
import { Agent, request } from 'undici'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway } from '../support/gateway.ts'
import { inParallel } from '../support/in-parallel.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'

t.setTimeout(1_800_000)

/** How many streams are used in turn; 10,000 take some minutes. */
const STREAMS = Number(process.env['FAULT_STREAMS'] ?? 300)
const MAX_HEAP_MIB = 64
const JSON_HEADERS = { 'content-type': 'application/json' }

// Outlives the gateway under test, and deletes its streams.
const keeper = await startGateway(t, QUICKLY_IDLE)

interface Sent { body?: string, headers?: Record<string, string> }

t.test(`${STREAMS} streams used in turn leave no more than the pools allow, in a small heap`, async (t) => {
  const small = await GatewayProcess.start({
    env: {
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      MAX_PUBLISHERS: '50',
      MAX_READERS: '50',
      ...QUICKLY_IDLE
    },
    nodeOptions: [`--max-old-space-size=${MAX_HEAP_MIB}`],
    forgetsRequests: true
  })
  t.teardown(async () => await small.end('SIGKILL'))
  const dispatcher = new Agent()
  const ask = async (status: number, method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, sent: Sent = {}) => {
    const answer = await request(small.url + path, { method, ...sent, dispatcher })
    const text = await answer.body.text()
    if (answer.statusCode !== status) t.fail(`${method} ${path} answered ${answer.statusCode} ${text}`)
  }
  const most = { publishers: 0, readers: 0, connections: 0 }
  const look = async (): Promise<void> => {
    const metrics = await (await request(`${small.url}/metrics`, { dispatcher })).body.text()
    for (const name of ['publishers', 'readers', 'connections'] as const) {
      const gauge = new RegExp(`^rabbitmq_stream_gateway_${name} (\\d+)$`, 'm').exec(metrics)?.[1]
      most[name] = Math.max(most[name], Number(gauge))
    }
  }
  const before = small.residentBytes
  await inParallel(STREAMS, 8, async (index) => {
    const path = `/v1/streams/${uniqueName('turn')}`
    await ask(201, 'PUT', path)
    await ask(200, 'POST', `${path}/messages/lines`, { body: 'x' })
    await ask(200, 'GET', `${path}/messages`)
    await ask(200, 'PUT', `${path}/consumers/c/offset`, { body: '{"offset":0}', headers: JSON_HEADERS })
    if (index % 10 === 0) await look()
    // Every other stream stays, with an idle publisher and reader: a deleted stream is no load.
    if (index % 2 === 0) await ask(204, 'DELETE', path)
    else t.teardown(async () => { await keeper.request('DELETE', path) })
  })
  const [beforeMib, afterMib] = [before >> 20, small.residentBytes >> 20]
  t.comment(`${STREAMS} streams: at most ${JSON.stringify(most)}; memory from ${beforeMib} to ${afterMib} MiB`)
  t.ok(most.publishers > 25 && most.readers > 25, 'there were that many')
  t.ok(most.publishers <= 50 && most.readers <= 50 && most.connections <= 6)
  await dispatcher.close()
  await untilNothingIsLeft(small)
  t.same(await small.end(), { code: 0, signal: null })
})
