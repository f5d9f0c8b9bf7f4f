import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { Agent, request } from 'undici'
import { testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { newKey } from '../support/keyed-gateway.ts'

t.setTimeout(120_000)

const ROUNDS = 8
const READS = 400
const MAX_RATIO = 1.2

const good = newKey({ name: 'good', scopes: ['configure:*/*', 'write:*/*', 'read:*/*'] })
const greedy = newKey({ name: 'greedy', limits: { requestsPerSecond: 10 } })

t.test('a caller at its quota does not slow another one', async (t) => {
  const gateway = await GatewayProcess.start({
    env: {
      RABBITMQ_STREAM_URL: testStreamUrl(),
      AUTH: 'api-keys',
      API_KEYS: JSON.stringify({ keys: [good.entry, greedy.entry] })
    },
    forgetsRequests: true
  })
  t.teardown(async () => { await gateway.end() })
  const stream = `quotas-${process.pid}`
  const path = `${gateway.url}/v1/streams/${stream}`
  const authorization = `Bearer ${good.key}`
  await fetch(path, { method: 'PUT', headers: { authorization } })
  t.teardown(async () => { await fetch(path, { method: 'DELETE', headers: { authorization } }) })
  await fetch(`${path}/messages/lines`, {
    method: 'POST', body: 'a\nb\nc\n', headers: { authorization, 'content-type': 'text/plain' }
  })
  const agents = { good: new Agent({ connections: 1 }), greedy: new Agent({ connections: 20 }) }
  t.teardown(async () => { await Promise.all([agents.good.destroy(), agents.greedy.destroy()]) })

  const read = async (dispatcher: Agent, key: string): Promise<number> => {
    const { statusCode, body } = await request(`${path}/messages`, {
      dispatcher, headers: { authorization: `Bearer ${key}` }
    })
    await body.dump()
    return statusCode
  }
  const p99 = async (): Promise<number> => {
    const times: number[] = []
    for (let count = 0; count < READS; count++) {
      const startMs = performance.now()
      if (await read(agents.good, good.key) !== 200) throw new Error('the good caller was refused')
      times.push(performance.now() - startMs)
      await delay(1)
    }
    return times.sort((a, b) => a - b)[Math.floor(READS * 0.99)] ?? Infinity
  }
  // Makes a hundred requests a second.
  const beyondQuota = async (isOver: () => boolean): Promise<Map<number, number>> => {
    const statuses = new Map<number, number>()
    const startMs = performance.now()
    let sent = 0
    const answers: Array<Promise<void>> = []
    while (!isOver()) {
      for (; sent < (performance.now() - startMs) * 0.1; sent++) {
        answers.push(read(agents.greedy, greedy.key).then((status) => {
          statuses.set(status, (statuses.get(status) ?? 0) + 1)
        }))
      }
      await delay(5)
    }
    await Promise.all(answers)
    return statuses
  }

  await p99()
  let best = Infinity
  for (let round = 0; round < ROUNDS && best > MAX_RATIO; round++) {
    const alone = await p99()
    let isOver = false
    const greed = beyondQuota(() => isOver)
    const beside = await p99()
    isOver = true
    const statuses = await greed
    t.ok((statuses.get(200) ?? 0) > 0 && (statuses.get(429) ?? 0) > 0, 'the other one was at its quota')
    t.comment(`p99 alone ${alone.toFixed(2)} ms, beside ${beside.toFixed(2)} ms`, Object.fromEntries(statuses))
    best = Math.min(best, beside / alone)
  }
  t.ok(best <= MAX_RATIO, `the p99 is ${best.toFixed(2)} times that without the other`)
})
