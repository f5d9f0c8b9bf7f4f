import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t, { LAG_STREAMS: 'test-*', LAG_INTERVAL_SECONDS: '5' })

t.test('how a stream has grown is kept', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2)
  const samples = async () => list(record((await gateway.get(`/v1/streams/${stream}/history`)).json)['samples'])
  await until('two samples', async () => (await samples()).length > 1, 20_000)
  const answer = await gateway.get(`/v1/streams/${stream}/history?seconds=7200`)
  t.equal(answer.status, 200)
  t.match(answer.json, { name: stream, firstOffset: 0, nextOffset: 2, intervalSeconds: 5 })
  const times = list(record(answer.json)['samples']).map((sample) => Date.parse(String(record(sample)['at'])))
  t.same(times, [...times].sort((a, b) => a - b))
  t.match((await samples()).at(-1), { firstOffset: 0, nextOffset: 2 })
  const [first = 0] = times
  const secondsAgo = Math.max(1, Math.floor((Date.now() - first) / 1000) - 1)
  t.ok((await gateway.get(`/v1/streams/${stream}/history?seconds=${secondsAgo}`)).text.length < answer.text.length)
})

t.test('a stream that is not sampled has no history, and says so', async (t) => {
  const other = await startGateway(t)
  const stream = await other.newStream(t)
  t.same((await other.get(`/v1/streams/${stream}/history`)).json, {
    name: stream, firstOffset: 0, nextOffset: 0, intervalSeconds: null, samples: []
  })
})

t.test('bad questions are refused', async (t) => {
  for (const seconds of ['0', '7201', '1.5', 'x']) {
    t.equal((await gateway.get(`/v1/streams/test-a/history?seconds=${seconds}`)).status, 400, seconds)
  }
  t.match(await gateway.get('/v1/streams/test-that-is-not-there/history'), {
    status: 404, json: { code: 'stream_not_found' }
  })
})
