import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { metricsIn, RULES, rules } from '../support/alert-rules.ts'
import { testManagementUrl } from '../support/broker.ts'
import { commit } from '../support/lag.ts'
import { startPrometheus } from '../support/prometheus.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

// An hour of the rules takes this many seconds here: 10 minutes are 5 seconds.
const SECONDS_AN_HOUR = 30

const gateway = await startPushGateway(t, { LAG_STREAMS: 'test-*', LAG_INTERVAL_SECONDS: '2' })
const prometheus = await startPrometheus(t, gateway.url, quickened(RULES))

/** The same rules with shorter times: of ranges, and of what has to last. */
function quickened (text: string): string {
  const units = { m: 60, h: 3600, d: 86_400 }
  return text.replace(/(?<=\[|for: )(\d+)([mhd])\b/g, (_, count: string, unit: 'm' | 'h' | 'd') => {
    return `${Math.ceil(Number(count) * units[unit] * SECONDS_AN_HOUR / 3600)}s`
  })
}

/** Gives a stream retention by a policy, as docs/monitoring.md advises. */
async function limitByPolicy (t: Test, stream: string): Promise<void> {
  const { origin, username, password } = new URL(testManagementUrl())
  const headers = {
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`,
    'content-type': 'application/json'
  }
  const policy = `${origin}/api/policies/%2f/${stream}`
  const body = JSON.stringify({ pattern: `^${stream}$`, definition: { 'max-age': '1D' }, 'apply-to': 'streams' })
  t.teardown(async () => { await fetch(policy, { method: 'DELETE', headers }) })
  const { status } = await fetch(policy, { method: 'PUT', headers, body })
  if (status !== 201) throw new Error(`the policy was answered with ${status}`)
}

async function firing (stream: string): Promise<string[]> {
  const alerts = await prometheus.query(`ALERTS{alertstate="firing", stream="${stream}"}`)
  return alerts.map(({ labels }) => String(labels['alertname']))
}

async function rate (name: string, stream: string, more = ''): Promise<number> {
  const [sample] = await prometheus.query(`${name}{stream="${stream}"${more}}`)
  return sample?.value ?? 0
}

t.test('a stream that grows, consumers that stand still or are too slow: alerts fire, and clear', async (t) => {
  const [growing, calm] = [
    await gateway.newStream(t, { maxSegmentSizeBytes: 1_000_000 }),
    await gateway.newStream(t, { maxSegmentSizeBytes: 1_000_000, maxAge: '1D' })
  ]
  const load = { isOn: true }
  const text = `${'x'.repeat(9999)}\n`.repeat(50)
  const publish = async (stream: string): Promise<void> => {
    await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: text })
  }
  // Both streams get messages. Of the consumers one reads all, one a tenth of what is published, one nothing any more.
  const running = (async () => {
    await publish(growing)
    await commit(gateway, growing, 'stuck', 3)
    while (load.isOn) {
      await Promise.all([publish(growing), publish(calm)])
      const nextOffset = Number(record((await gateway.get(`/v1/streams/${growing}`)).json)['nextOffset'])
      // The last record may be one of the broker's own.
      await commit(gateway, growing, 'quick', nextOffset - 1)
      await commit(gateway, growing, 'slow', Math.floor(nextOffset / 10))
      await delay(200)
    }
  })()
  t.teardown(async () => {
    load.isOn = false
    await running
  })
  const named = async (alert: string): Promise<string[]> => {
    const alerts = await prometheus.query(`ALERTS{alertstate="firing", alertname="${alert}", stream="${growing}"}`)
    return alerts.map(({ labels }) => String(labels['consumer'])).sort()
  }
  await until('the stream grows', async () => (await firing(growing)).includes('StreamGrowsWithoutRetention'), 90_000)
  await until('one stands still', async () => (await named('ConsumerStagnant')).join() === 'stuck', 90_000)
  await until('one is too slow', async () => (await named('ConsumerFallsBehind')).join() === 'slow', 90_000)
  await until('the calm one has no alert', async () => (await firing(calm)).length === 0, 90_000)
  const published = await rate('rabbitmq_stream:publish_rate:5m', growing)
  const consumed = async (consumer: string): Promise<number> => {
    return await rate('rabbitmq_stream_consumer:consume_rate:5m', growing, `, consumer="${consumer}"`)
  }
  t.ok(published > 5, `${published} messages a second are published`)
  await until('the rates of the consumers', async () => {
    const [quick, slow, stuck] = [await consumed('quick'), await consumed('slow'), await consumed('stuck')]
    return quick > slow && slow > stuck && stuck === 0
  })
  const through = await rate('rabbitmq_stream:gateway_publish_rate:5m', growing)
  t.ok(through > 5, `${through} of them through the gateway`)
  await limitByPolicy(t, growing)
  await until('it has retention', async () => !(await firing(growing)).includes('StreamGrowsWithoutRetention'), 90_000)
  t.ok((await firing(growing)).length > 0, 'the consumers are as they were')
  load.isOn = false
  await running
  const { json } = await gateway.get(`/v1/streams/${growing}/consumers/stuck/offset`)
  for (const consumer of ['stuck', 'slow']) {
    await commit(gateway, growing, consumer, Number(record(json)['lastOffset']))
  }
  await until('nothing is published', async () => (await firing(calm)).includes('NothingPublished'), 90_000)
  await until('the consumers have everything', async () => {
    return [...await named('ConsumerStagnant'), ...await named('ConsumerFallsBehind')].length === 0
  }, 90_000)
  await publish(calm)
  await until('something is published', async () => (await firing(calm)).length === 0, 90_000)
})

t.test('every metric that a rule names is one of the gateway, and every rule can be evaluated', async (t) => {
  const { text } = await gateway.get('/metrics')
  const known = new Set([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name]))
  for (const { name, expression } of rules) {
    t.same(metricsIn(expression).filter((metric) => !known.has(metric)), [], name)
    await prometheus.query(expression)
  }
})
