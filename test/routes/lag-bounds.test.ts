import { randomUUID } from 'node:crypto'
import t from 'tap'
import { testManagementUrl } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { commit, FAST, series, streamWith, valueOf } from '../support/lag.ts'
import { FaultProxy } from '../support/proxy.ts'
import { until } from '../support/until.ts'

// Makes streams, and does not sample.
const plain = await startGateway(t)

t.test('of two instances one samples the consumers; the other one takes over when it ends', async (t) => {
  const stream = await streamWith(t, plain, 4)
  await commit(plain, stream, 'c', 1)
  const env = { ...FAST, LAG_STREAMS: stream }
  const both = [await startGateway(t, env), await startGateway(t, env)]
  const onDuty = async () => {
    const states = await Promise.all(both.map(async (gateway) => ({
      gateway, is: await valueOf(gateway, 'lag_sampler') === 1 && (await series(gateway, 'consumer_lag_messages')).size
    })))
    return states.filter(({ is }) => is === 1).map(({ gateway }) => gateway)
  }
  const [first] = await until('one is on duty', async () => {
    const found = await onDuty()
    return found.length === 1 && found
  })
  const second = both.find((gateway) => gateway !== first)
  if (second === undefined) throw new Error('both are on duty')
  t.equal((await series(second, 'stream_next_offset')).size, 0)
  await until('both keep the history', async () => {
    const answers = await Promise.all(both.map(async (gateway) => await gateway.get(`/v1/streams/${stream}/history`)))
    return answers.every(({ text }) => text.includes('"samples":[{'))
  })
  const { json } = await plain.get(`/v1/streams/${stream}/consumers`)
  t.match(json, { consumers: exactly({ name: 'c' }) }, 'their group is not listed as a consumer')
  t.notMatch(JSON.stringify(json), 'sampler')
  await first?.app.close()
  await until('the other one is on duty', async () => await valueOf(second, 'lag_sampler') === 1)
  await until('and samples', async () => (await series(second, 'consumer_lag_messages')).size === 1)
})

t.test('the number of time series has a bound, which is told when it is reached', async (t) => {
  const prefix = `bound-${randomUUID()}`
  for (const name of ['a', 'b']) {
    await plain.request('PUT', `/v1/streams/${prefix}-${name}`)
    t.teardown(async () => { await plain.request('DELETE', `/v1/streams/${prefix}-${name}`) })
    await plain.publish(`${prefix}-${name}`, 1, 2)
  }
  for (let n = 10; n < 36; n++) await commit(plain, `${prefix}-a`, `c${n}`, 0)
  await commit(plain, `${prefix}-b`, 'last', 0)
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: `${prefix}*`, LAG_MAX_SERIES: '100' })
  // Two streams take 16, and 21 consumers 84: 6 consumers are left out.
  await until('the bound', async () => await valueOf(gateway, 'lag_series_dropped') === 24)
  const kept = [...(await series(gateway, 'consumer_stored_offset')).keys()]
  t.equal(kept.length, 21)
  t.ok(kept.every((labels) => labels.includes(`stream="${prefix}-a"`)))
  const told = gateway.log.filter(({ msg }) => String(msg).startsWith('LAG_MAX_SERIES is reached'))
  t.match(told, exactly({ level: 50, series: 24 }))
})

t.test('while the management API does not answer the figures grow old, and it is told once', async (t) => {
  const stream = await streamWith(t, plain, 1)
  await commit(plain, stream, 'c', 0)
  const management = new URL(testManagementUrl())
  const proxy = await FaultProxy.listen({ host: management.hostname, port: Number(management.port) })
  t.teardown(async () => { await proxy.close() })
  management.host = `${proxy.host}:${proxy.port}`
  const gateway = await startGateway(t, {
    ...FAST, LAG_STREAMS: stream, RABBITMQ_MANAGEMENT_URL: management.href, RABBITMQ_MANAGEMENT_TIMEOUT_MS: '1000'
  })
  const age = async () => await valueOf(gateway, 'lag_sample_age_seconds', `stream="${stream}"`)
  await until('a sample', async () => (await series(gateway, 'consumer_lag_messages')).size === 1)
  proxy.refuse()
  proxy.killConnections()
  await until('the figures are old', async () => (await age() ?? 0) > 7)
  t.equal((await series(gateway, 'consumer_lag_messages')).size, 1, 'the figures from before')
  const told = () => gateway.log.filter(({ msg }) => msg === 'some streams or consumers could not be sampled')
  t.match(told(), exactly({ level: 40, code: 'management_unavailable' }))
  proxy.accept()
  await until('the figures are new', async () => (await age() ?? 100) < 4)
})
