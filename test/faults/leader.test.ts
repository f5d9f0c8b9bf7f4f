import t from 'tap'
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
  await leader.tool('rabbitmq-upgrade', 'drain')
  // 4.0 leaves the leader where it is and names no leader: until the node ends or is revived, only publishers of before go on.
  await new Promise((resolve) => setTimeout(resolve, 2000))
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
