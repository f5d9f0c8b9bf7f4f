import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { BrokerNode } from '../../scripts/broker/index.mjs'
import { clusterUrl, startPrivateBroker } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
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

async function ask (
  { url }: GatewayProcess,
  method: string,
  path: string,
  body?: string | object
): Promise<{ status: number, json: unknown }> {
  const sent = typeof body === 'object'
    ? { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
    : { ...body !== undefined && { body } }
  const response = await fetch(`${url}/v1/streams/${path}`, { method, ...sent })
  return { status: response.status, json: await response.json() }
}

async function leaderOf (url: string, nodes: readonly BrokerNode[], stream: string): Promise<BrokerNode> {
  return await until('the stream has a leader', async () => {
    const leader = (await describe(url, stream))?.leader
    return nodes.find(({ streamPort }) => leader === `127.0.0.1:${streamPort}`)
  })
}

async function untilWhole (url: string, streams: Workload['streams']): Promise<void> {
  for (const name of Object.values(streams)) {
    const isWhole = async (): Promise<boolean> => (await describe(url, name))?.replicas.length === 2
    await until('all members are back', isWhole, 60_000)
  }
}

/** A new stream, led by this node. */
async function newStreamOn (t: Test, url: string, nodes: readonly BrokerNode[], leader: BrokerNode): Promise<string> {
  for (let n = 0; n < 20; n++) {
    const stream = `test-${randomUUID()}`
    // The broker chooses the node that leads the fewest streams: streams of other nodes stay until the end.
    await fetch(`${url}/v1/streams/${stream}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: '{"leaderLocator":"balanced"}'
    })
    t.teardown(async () => { await fetch(`${url}/v1/streams/${stream}`, { method: 'DELETE' }).catch(() => {}) })
    if (await leaderOf(url, nodes, stream) === leader) return stream
  }
  throw new Error('no new stream is led by the node')
}

t.test('killing and draining the leader of a stream of three members breaks no promise under load', async (t) => {
  const { nodes } = await startPrivateBroker(t, { nodes: 3 })
  const env = {
    RABBITMQ_STREAM_URL: clusterUrl(nodes),
    RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
    ...QUICKLY_IDLE
  }
  const gateway = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const workload = await Workload.start({ target: gateway })
  t.teardown(() => { workload.abandon() })
  const { streams } = workload
  await new Promise((resolve) => setTimeout(resolve, 2500)) // until then 4.0.5 may lose a stream whose node is killed
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
  t.match(await ask(gateway, 'POST', `${drained}/messages/lines`, 'before 0\nbefore 1\nbefore 2\n'), { status: 200 })
  t.match(await ask(gateway, 'PUT', `${drained}/consumers/c/offset`, { offset: 1 }), { status: 200 })
  await leader.tool('rabbitmq-upgrade', 'drain')
  // A drained node keeps the leader, and the broker names no leader. Another node passes messages on to it.
  // What has to know the end of the stream is refused.
  await t.test('a stream whose leader is on a drained node takes messages and stores offsets', async (t) => {
    const gateway = await GatewayProcess.start({ env })
    t.teardown(async () => await gateway.end('SIGKILL'))
    for (const name of ['', '?publisher=new&firstPublishingId=1']) {
      const answer = await ask(gateway, 'POST', `${drained}/messages/lines${name}`, 'while it is drained\n')
      t.match(answer, { status: 200, json: { confirmed: 1, duplicates: 0 } }, name)
    }
    const messages = exactly({ body: 'before 0' }, { body: 'before 1' }, { body: 'before 2' })
    const read = await ask(gateway, 'GET', `${drained}/messages?offset=0&limit=3`)
    t.match(read, { status: 200, json: { messages, nextOffset: 3 } })
    const stored = await ask(gateway, 'PUT', `${drained}/consumers/c/offset`, { offset: 2 })
    t.match(stored, { status: 200, json: { storedOffset: 2 } }, 'the offset of what was read can be stored')
    const resets: Array<'first' | 'next' | { offset: number }> = ['first', 'next', { offset: 1 }]
    const refused: Array<['GET' | 'PUT' | 'POST', string, object?]> = [
      ['GET', 'messages?offset=next'],
      ['GET', 'messages?offset=last'],
      ['GET', 'consumers/d/messages?from=next'],
      ['PUT', 'consumers/c/offset', { offset: 100 }],
      ...resets.map((to): ['POST', string, object] => ['POST', 'consumers/c/offset/reset', { to }])
    ]
    for (const [method, path, body] of refused) {
      const answer = await ask(gateway, method, `${drained}/${path}`, body)
      const refusal = { code: 'stream_not_available', retryable: true, sideEffects: 'none' }
      t.match(answer, { status: 503, json: refusal }, `${method} ${path} ${JSON.stringify(body)}`)
    }
  })
  await leader.tool('rabbitmq-upgrade', 'revive')
  await untilWhole(gateway.url, streams)
  const afterwards = await until('the stream has its leader again', async () => {
    const answer = await ask(gateway, 'GET', `${drained}/consumers/c/offset`)
    return answer.status === 200 && answer
  })
  t.match(afterwards, { json: { storedOffset: 2 } }, 'the stored offset is there, and no refused reset')
  const lines = await (await fetch(`${gateway.url}/v1/streams/${drained}/messages/lines?offset=0`)).text()
  const all = 'before 0\nbefore 1\nbefore 2\nwhile it is drained\nwhile it is drained\n'
  t.equal(lines, all, 'and so is every message that was confirmed')
  await workload.untilConfirmed(200)
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(`${ROUNDS} rounds, ${line}`)
  t.comment(`peak memory ${Math.round(gateway.peakResidentBytes / 2 ** 20)} MiB`)
  t.same(brokenPromises(report), [])
  await untilNothingIsLeft(gateway)
  t.same(await gateway.end(), { code: 0, signal: null })
})
