import t, { type Test } from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { until } from '../support/until.ts'
import { brokenPromises, ledgerLines, Workload } from '../support/workload/index.ts'

t.setTimeout(240_000)

const { node } = await startPrivateBroker(t)

async function startGateway (t: Test, settings: Record<string, string> = {}): Promise<GatewayProcess> {
  const env = {
    RABBITMQ_STREAM_URL: node.streamUrl,
    RABBITMQ_MANAGEMENT_URL: node.managementUrl,
    RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
    ...QUICKLY_IDLE,
    ...settings
  }
  const gateway = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  return gateway
}

async function readiness ({ url }: GatewayProcess): Promise<number> {
  const { status, body } = await fetch(`${url}/health/ready`)
  await body?.cancel()
  return status
}

async function untilReadinessIs (gateway: GatewayProcess, wanted: number): Promise<void> {
  await until(`readiness is ${wanted}`, async () => await readiness(gateway) === wanted)
}

/** Asks the management API as an operator's browser does. @throws when it refuses, or does not know the path */
async function manage (method: 'PUT' | 'DELETE', path: string): Promise<void> {
  const { origin } = new URL(node.managementUrl)
  const authorization = `Basic ${Buffer.from('guest:guest').toString('base64')}`
  const response = await fetch(`${origin}/api/${path}`, { method, headers: { authorization } })
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status} ${await response.text()}`)
}

async function connectionNames (): Promise<string[]> {
  const connections = await node.api('/api/stream/connections')
  return (Array.isArray(connections) ? connections : []).map(({ name }) => String(name))
}

async function connectionsLost ({ url }: GatewayProcess): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(/^rabbitmq_stream_gateway_connections_lost_total (\d+)$/m.exec(text)?.[1])
}

const faults: ReadonlyArray<{ what: string, rounds: number, fault: (gateway: GatewayProcess) => Promise<void> }> = [
  {
    what: 'connections that are closed from the management API',
    rounds: 3,
    async fault () {
      // The API still lists a connection some seconds after its end, and a new one a little late: one that it lists has
      // to be there still.
      const close = async (name: string): Promise<void> => {
        await manage('DELETE', `stream/connections/%2f/${encodeURIComponent(name)}`)
      }
      await until('a connection is closed', async () => {
        const closings = await Promise.allSettled((await connectionNames()).map(close))
        return closings.some(({ status }) => status === 'fulfilled')
      })
    }
  },
  {
    what: 'a stop and a start of the broker within its node',
    rounds: 1,
    async fault (gateway) {
      await node.ctl('stop_app')
      await untilReadinessIs(gateway, 503)
      await node.ctl('start_app')
    }
  }
]
for (const { what, rounds, fault } of faults) {
  t.test(`${what} break no promise under load`, async (t) => {
    const gateway = await startGateway(t)
    const workload = await Workload.start({ target: gateway })
    t.teardown(() => { workload.abandon() })
    for (let round = 0; round < rounds; round++) {
      await workload.untilConfirmed(200)
      const lostBefore = await connectionsLost(gateway)
      await fault(gateway)
      await until('the gateway has lost connections', async () => await connectionsLost(gateway) > lostBefore)
      await untilReadinessIs(gateway, 200)
    }
    await workload.untilConfirmed(200)
    const report = await workload.finish()
    for (const line of ledgerLines(report)) t.comment(line)
    t.same(brokenPromises(report), [])
    await untilNothingIsLeft(gateway)
    t.same(await gateway.end(), { code: 0, signal: null })
  })
}

t.test('a virtual host that is deleted and created anew has none of its streams, and works', async (t) => {
  await manage('PUT', 'vhosts/shop')
  await node.ctl('set_permissions', '-p', 'shop', 'guest', '.*', '.*', '.*')
  const gateway = await startGateway(t, { RABBITMQ_STREAM_URL: node.streamUrl.replace('%2f', 'shop') })
  const ask = async (method: string, path: string, body?: string): Promise<{ status: number, json: unknown }> => {
    const sent = { method, ...body !== undefined && { body } }
    const response = await fetch(`${gateway.url}/v1/streams/orders${path}`, sent)
    const text = await response.text()
    return { status: response.status, json: text === '' ? undefined : JSON.parse(text) }
  }
  t.match(await ask('PUT', ''), { status: 201 })
  t.match(await ask('POST', '/messages/lines', 'old'), { json: { confirmed: 1 } })
  t.match(await ask('GET', '/messages'), { json: { messages: exactly({ body: 'old' }) } })
  const waiting = ask('GET', '/messages?offset=next&wait=20')
  await manage('DELETE', 'vhosts/shop')
  await untilReadinessIs(gateway, 503)
  // The permission goes first, then the streams, then the host.
  for (const answer of [await waiting, await ask('GET', '/messages'), await ask('POST', '/messages/lines', 'x')]) {
    t.ok([403, 404, 502, 503].includes(answer.status), JSON.stringify(answer))
  }
  await manage('PUT', 'vhosts/shop')
  await node.ctl('set_permissions', '-p', 'shop', 'guest', '.*', '.*', '.*')
  await untilReadinessIs(gateway, 200)
  const missing = await until('the stream is not found', async () => {
    const answer = await ask('GET', '/messages')
    return [403, 502, 503].includes(answer.status) ? undefined : answer
  })
  t.match(missing, { status: 404, json: { code: 'stream_not_found' } })
  t.match(await ask('PUT', ''), { status: 201 })
  t.match(await ask('POST', '/messages/lines', 'new'), { json: { confirmed: 1 } })
  t.match(await ask('GET', '/messages'), { json: { messages: exactly({ body: 'new', offset: 0 }) } })
  t.match(await ask('DELETE', ''), { status: 204 })
  await untilNothingIsLeft(gateway)
})
