import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { BrokerNode } from '../../scripts/broker/index.mjs'
import { startPrivateBroker } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { until } from '../support/until.ts'
import { brokenPromises, ledgerLines, Workload } from '../support/workload/index.ts'

t.setTimeout(1_800_000)

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 3)

interface Description { leader: string | null, replicas: string[] }

async function describe (url: string, stream: string): Promise<Description | undefined> {
  const response = await fetch(`${url}/v1/streams/${stream}`)
  const json = await response.text()
  return response.ok ? JSON.parse(json) : undefined
}

async function leaderOf (url: string, nodes: readonly BrokerNode[], stream: string): Promise<BrokerNode> {
  return await until('the stream has a leader', async () => {
    const leader = (await describe(url, stream))?.leader
    return nodes.find(({ streamPort }) => leader === `127.0.0.1:${streamPort}`)
  })
}

async function untilWhole (url: string, streams: Workload['streams']): Promise<void> {
  for (const name of Object.values(streams)) await until('all members are back', async () => (await describe(url, name))?.replicas.length === 2, 60_000)
}

/** A stream that nobody has published to, led by this node. */
async function newStreamOn (t: Test, url: string, nodes: readonly BrokerNode[], leader: BrokerNode): Promise<string> {
  for (let n = 0; n < 20; n++) {
    const stream = `test-${randomUUID()}`
    // The broker takes the node that leads least: the others stay until the end.
    await fetch(`${url}/v1/streams/${stream}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"leaderLocator":"balanced"}' })
    t.teardown(async () => { await fetch(`${url}/v1/streams/${stream}`, { method: 'DELETE' }).catch(() => {}) })
    if (await leaderOf(url, nodes, stream) === leader) return stream
  }
  throw new Error('no new stream is led by the node')
}

t.test('the leader of a stream with three members is killed, and drained for maintenance, under load', async (t) => {
  const { nodes } = await startPrivateBroker(t, { nodes: 3 })
  const env = {
    RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@${nodes.map(({ streamPort }) => `127.0.0.1:${streamPort}`).join(',')}/%2f`,
    RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
    ...QUICKLY_IDLE
  }
  const gateway = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const workload = await Workload.start({ target: gateway })
  t.teardown(() => { workload.abandon() })
  const { streams } = workload
  await new Promise((resolve) => setTimeout(resolve, 2500)) // so long 4.0.5 may lose a stream whose node is killed
  for (let round = 0; round < ROUNDS; round++) {
    await workload.untilConfirmed(200)
    const leader = await leaderOf(gateway.url, nodes, round % 2 === 0 ? streams.named : streams.unnamed)
    await leader.kill('SIGKILL')
    await workload.untilConfirmed(200) // by two of three
    await leader.start()
    await untilWhole(gateway.url, streams)
  }
  const leader = await leaderOf(gateway.url, nodes, streams.named)
  const drained = await newStreamOn(t, gateway.url, nodes, leader)
  await leader.tool('rabbitmq-upgrade', 'drain')
  // 4.0 leaves the leader where it is and names none. Another node passes messages on to it.
  await t.test('new publishers find a way to a leader on a drained node', async (t) => {
    const gateway = await GatewayProcess.start({ env })
    t.teardown(async () => await gateway.end('SIGKILL'))
    for (const name of ['', '?publisher=new&firstPublishingId=1']) {
      const response = await fetch(`${gateway.url}/v1/streams/${drained}/messages/lines${name}`, { method: 'POST', body: 'while it is drained\n' })
      t.same([response.status, await response.text()], [200, '{"confirmed":1,"duplicates":0}'])
    }
  })
  await leader.tool('rabbitmq-upgrade', 'revive')
  await untilWhole(gateway.url, streams)
  await workload.untilConfirmed(200)
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(`${ROUNDS} rounds, ${line}`)
  t.comment(`peak memory ${Math.round(gateway.peakResidentBytes / 2 ** 20)} MiB`)
  t.same(brokenPromises(report), [])
  await untilNothingIsLeft(gateway)
  t.same(await gateway.end(), { code: 0, signal: null })
})
