import t, { type Test } from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { startGateway, type Answer, type Gateway } from '../support/gateway.ts'
import { until } from '../support/until.ts'
import { exactly } from '../support/exactly.ts'

t.setTimeout(120_000)

const CONFIRM_TIMEOUT_MS = 4000
const MORE_THAN_ANY_DISK = '100000GB'

interface Bench { gateway: Gateway, told: Map<string, 'confirmed' | 'failed' | 'unknown'> }
interface Partly { confirmed: number, results: Array<{ index: number, status: 'failed' | 'unknown' }> }

/** Publishes one message and notes what the answer says of it. */
async function publish ({ gateway, told }: Bench, stream: string, body: string, query = ''): Promise<Answer> {
  const answer = await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body })
  const isRefused = answer.status !== 200 && JSON.stringify(answer.json).includes('"sideEffects":"none"')
  told.set(body, answer.status === 200 ? 'confirmed' : isRefused ? 'failed' : 'unknown')
  return answer
}

async function bodies (gateway: Gateway, stream: string): Promise<string[]> {
  const { text } = await gateway.get(`/v1/streams/${stream}/messages/lines?limit=10000&maxBytes=16777216`)
  return text.split('\n').slice(0, -1)
}

async function checkTold (t: Test, { gateway, told }: Bench, streams: readonly string[]): Promise<void> {
  const stored = (await Promise.all(streams.map(async (stream) => await bodies(gateway, stream)))).flat()
  t.equal(new Set(stored).size, stored.length, 'nothing is stored twice')
  const wrong = [...told].filter(([body, outcome]) => {
    return outcome !== 'unknown' && stored.includes(body) !== (outcome === 'confirmed')
  })
  t.same(wrong, [], 'what was confirmed is there, what was refused is not')
}

t.test('a broker out of disk space breaks no promise', async (t) => {
  const { node } = await startPrivateBroker(t)
  const gateway = await startGateway(t, {
    RABBITMQ_STREAM_URL: node.streamUrl,
    RABBITMQ_MANAGEMENT_URL: node.managementUrl,
    PUBLISH_CONFIRM_TIMEOUT_MS: String(CONFIRM_TIMEOUT_MS),
    RABBITMQ_REQUEST_TIMEOUT_MS: '3000',
    RABBITMQ_CONNECTION_IDLE_MS: '1000',
    READER_IDLE_MS: '1000',
    PUBLISHER_IDLE_MS: '15000' // publishers from before the alarm must still be there when it has come
  })
  const [stream, other, large] = [await gateway.newStream(t), await gateway.newStream(t), await gateway.newStream(t)]
  const told: Bench['told'] = new Map()
  const bench = { gateway, told }
  const path = `/v1/streams/${stream}`
  t.equal((await publish(bench, stream, 'before')).status, 200)
  t.equal((await publish(bench, large, 'large before')).status, 200)
  t.equal((await publish(bench, stream, 'named before', '?publisher=p&firstPublishingId=1')).status, 200)

  await node.ctl('set_disk_free_limit', MORE_THAN_ANY_DISK)
  await t.test('a publisher from before the alarm is no longer confirmed, and told so in time', async (t) => {
    let tries = 0
    const refused = await until('a message is not confirmed', async () => {
      // The broker still takes what is on its way already.
      const answer = await publish(bench, stream, `during ${tries++}`)
      return answer.status === 200 ? undefined : answer
    })
    t.match(refused.json, { status: 504, code: 'confirm_timeout', sideEffects: 'possible', retryable: true })
  })
  await t.test('of a large request, what was not sent is failed and the rest is unknown', async (t) => {
    // More than the buffers on the way hold.
    const bodies = Array.from({ length: 14 }, (_, index) => `${index}${'x'.repeat(900_000)}`)
    const messages = bodies.map((body) => ({ body, bodyEncoding: 'text' }))
    const { status, json } = await gateway.request('POST', `/v1/streams/${large}/messages`, { json: { messages } })
    if (status === 504) { // the kernel's buffers took all of it, or nothing
      const { code, sideEffects }: { code: string, sideEffects: string } = JSON.parse(JSON.stringify(json))
      t.equal(sideEffects, code === 'confirm_timeout' ? 'possible' : 'none', code)
      for (const body of bodies) told.set(body, sideEffects === 'none' ? 'failed' : 'unknown')
      return
    }
    t.equal(status, 207)
    const { confirmed, results }: Partly = JSON.parse(JSON.stringify(json))
    t.equal(confirmed, 0)
    t.same(results.map(({ index }) => index), bodies.map((_, index) => index))
    const statuses = [...new Set(results.map(({ status }) => status))]
    t.same(statuses, ['unknown', 'failed'], 'what was sent comes first, then what was not')
    for (const { index, status } of results) told.set(bodies[index] ?? '', status)
  })
  await t.test('new publishers are refused, with nothing sent', async (t) => {
    for (const round of [1, 2]) {
      const unnamed = await publish(bench, other, `refused ${round}`)
      t.match(unnamed.json, { sideEffects: 'none', retryable: true })
      const named = await publish(bench, other, `named refused ${round}`, '?publisher=q&firstPublishingId=1')
      t.match(named.json, { sideEffects: 'none', retryable: true })
    }
  })
  await t.test('reads, waits, stored offsets, listings and new streams still work', async (t) => {
    t.match((await gateway.get(`${path}/messages?limit=1`)).json, { messages: exactly({ offset: 0 }), nextOffset: 1 })
    t.match((await gateway.get(`${path}/messages?offset=next&wait=1`)).json, { messages: exactly(), endOfStream: true })
    const stored = await gateway.request('PUT', `${path}/consumers/c/offset`, { json: { offset: 1 } })
    t.match(stored.json, { storedOffset: 1 })
    t.match((await gateway.get(`${path}/consumers/c/offset`)).json, { storedOffset: 1 })
    t.match((await gateway.get('/v1/streams')).json, { streams: exactly(...[stream, other, large].sort()) })
    t.match((await gateway.get(path)).json, { firstOffset: 0 })
    t.match((await gateway.get(`${path}/publishers/p`)).json, { lastPublishingId: 1 })
    const created = `${stream}-created`
    t.equal((await gateway.request('PUT', `/v1/streams/${created}`)).status, 201)
    t.equal((await gateway.request('DELETE', `/v1/streams/${created}`)).status, 204)
    t.match(await gateway.get('/health/ready'), { status: 200 }, 'the broker answers')
  })

  await node.ctl('set_disk_free_limit', '50MB')
  await t.test('with space again all publishers are confirmed', async (t) => {
    const cases = [
      [stream, ''],
      [other, ''],
      [stream, '?publisher=p&firstPublishingId=2'],
      [other, '?publisher=q&firstPublishingId=2']
    ] as const
    for (const [name, query] of cases) {
      const answer = await until('a message is confirmed', async () => {
        const answer = await publish(bench, name, `after ${name} ${query}`, query)
        t.notMatch(answer.json, { code: 'overloaded' }, 'nothing of the alarm is left on the connection')
        return answer.status === 200 ? answer : undefined
      }, 10_000)
      t.match(answer.json, { confirmed: 1, duplicates: 0 })
    }
    await checkTold(t, bench, [stream, other, large])
  })
  await t.test('nothing is left over', async (t) => {
    t.match(gateway.app.broker.stats(), { publishBudgetUsedBytes: 0, connectionsLost: 0 })
    await until('all that is idle is closed', () => {
      const { connections, readers, publishers } = gateway.app.broker.stats()
      return connections + readers + publishers === 0
    })
  })
})
