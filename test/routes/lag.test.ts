import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { commit, FAST, series, streamWith, valueOf } from '../support/lag.ts'
import { LiveClient } from '../support/live-client.ts'
import { superStreamOf } from '../support/super-stream-requests.ts'
import { until } from '../support/until.ts'

// Makes streams, and does not sample.
const plain = await startGateway(t)

t.test('how far consumers are behind, in messages and in seconds, is in the metrics', async (t) => {
  const publishedMs = Date.now()
  const stream = await streamWith(t, plain, 10)
  await commit(plain, stream, 'slow', 3)
  await commit(plain, stream, 'quick', 9)
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: stream })
  const [slow, quick] = ['slow', 'quick'].map((name) => `stream="${stream}",consumer="${name}"`)
  await until('a sample', async () => await valueOf(gateway, 'consumer_lag_messages', slow) !== undefined)
  t.equal(await valueOf(gateway, 'consumer_stored_offset', slow), 3)
  t.equal(await valueOf(gateway, 'consumer_lag_messages', slow), 6)
  t.equal(await valueOf(gateway, 'consumer_lag_messages', quick), 0)
  t.equal(await valueOf(gateway, 'consumer_lag_seconds', quick), 0)
  const seconds = await valueOf(gateway, 'consumer_lag_seconds', slow) ?? 0
  t.ok(seconds > 0 && seconds <= (Date.now() - publishedMs) / 1000 + 1, `by the time of the chunk: ${seconds}`)
  t.equal(await valueOf(gateway, 'stream_first_offset', `stream="${stream}"`), 0)
  t.ok((await valueOf(gateway, 'stream_next_offset', `stream="${stream}"`) ?? 0) >= 10)
  t.equal(await valueOf(gateway, 'stream_has_retention', `stream="${stream}"`), 0)
  const lastMs = (await valueOf(gateway, 'stream_last_message_timestamp_seconds', `stream="${stream}"`) ?? 0) * 1000
  t.ok(lastMs > publishedMs - 1000 && lastMs <= Date.now() + 1000)
  await commit(plain, stream, 'slow', 9)
  await until('it has caught up', async () => await valueOf(gateway, 'consumer_lag_messages', slow) === 0)
  // Each commit is a record of the stream's own: a consumer does not lack it.
  t.ok((await valueOf(gateway, 'stream_next_offset', `stream="${stream}"`) ?? 0) > 10)
  await plain.publish(stream, 'one more')
  await until('it is behind', async () => await valueOf(gateway, 'consumer_lag_messages', slow) !== 0)
  const again = await valueOf(gateway, 'consumer_lag_seconds', slow) ?? 100
  t.ok(again >= 0 && again < 30, `by the samples: ${again}`)
})

t.test('messages that are stored compressed count one by one', async (t) => {
  const stream = await streamWith(t, plain, 0)
  const body = '{"body":1}\n'.repeat(100)
  const headers = { 'content-type': 'application/x-ndjson' }
  t.match(await plain.request('POST', `/v1/streams/${stream}/messages?compression=gzip`, { body, headers }), {
    status: 200
  })
  await commit(plain, stream, 'c', 39)
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: stream })
  const labels = `stream="${stream}",consumer="c"`
  await until('a sample', async () => await valueOf(gateway, 'consumer_lag_messages', labels) !== undefined)
  t.equal(await valueOf(gateway, 'consumer_lag_messages', labels), 60)
  t.equal(await valueOf(gateway, 'consumer_stored_offset', labels), 39)
})

t.test('a stream without consumers, one without messages and one that is gone', async (t) => {
  const [empty, other] = [await streamWith(t, plain, 0), await streamWith(t, plain, 1)]
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: `${empty}, ${other}` })
  await until('both', async () => (await series(gateway, 'stream_next_offset')).size === 2)
  t.equal(await valueOf(gateway, 'stream_next_offset', `stream="${empty}"`), 0)
  t.equal(await valueOf(gateway, 'stream_last_message_timestamp_seconds', `stream="${empty}"`), undefined)
  t.equal((await series(gateway, 'consumer_stored_offset')).size, 0)
  await plain.request('DELETE', `/v1/streams/${other}`)
  await until('one is gone', async () => (await series(gateway, 'stream_next_offset')).size === 1)
  t.equal((await series(gateway, 'lag_sample_age_seconds')).size, 1)
})

t.test('a stream that was deleted and created again is not taken for the one before', async (t) => {
  const stream = await streamWith(t, plain, 5)
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: stream })
  await until('a sample', async () => await valueOf(gateway, 'stream_next_offset', `stream="${stream}"`) === 5)
  await plain.request('DELETE', `/v1/streams/${stream}`)
  await plain.request('PUT', `/v1/streams/${stream}`)
  await plain.publish(stream, 1, 2)
  // Both end with the chunk at 0: only a look that takes nothing from the one before can tell.
  await until('the new one', async () => await valueOf(gateway, 'stream_next_offset', `stream="${stream}"`) === 2)
})

t.test('what goes through the instance is counted by stream, of streams that it samples', async (t) => {
  const [stream, other] = [await streamWith(t, plain, 3), await streamWith(t, plain, 0)]
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: stream })
  const labels = `stream="${stream}"`
  await until('it is sampled', async () => await valueOf(gateway, 'stream_messages_read_total', labels) === 0)
  t.equal(await valueOf(gateway, 'stream_messages_confirmed_total', labels), 0)
  await gateway.publish(stream, 4, 5)
  await gateway.publish(other, 1)
  await gateway.get(`/v1/streams/${stream}/messages?offset=first&limit=3`)
  await gateway.get(`/v1/streams/${stream}/consumers/c/messages?limit=2`)
  await gateway.get(`/v1/streams/${stream}/messages/4/raw`)
  await gateway.get(`/v1/streams/${other}/messages`)
  const live = await LiveClient.open(t, `${gateway.url}/v1/streams/${stream}/messages?offset=first`)
  await until('the live answer', async () => await valueOf(gateway, 'stream_messages_read_total', labels) === 11)
  live.close()
  t.equal(await valueOf(gateway, 'stream_messages_confirmed_total', labels), 2)
  t.equal((await series(gateway, 'stream_messages_read_total')).size, 1)
  // A refused one counts as nothing, and neither does what another instance does.
  await gateway.request('POST', `/v1/streams/${stream}/messages`, { json: { messages: [{}] } })
  await plain.publish(stream, 6)
  t.equal(await valueOf(gateway, 'stream_messages_confirmed_total', labels), 2)
})

t.test('partitions of a super stream are counted one by one', async (t) => {
  const superStream = await superStreamOf(t, '0', '1')
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: `${superStream}-*` })
  const sum = async (name: string) => [...(await series(gateway, name)).values()].reduce((all, one) => all + one, 0)
  await until('both are sampled', async () => (await series(gateway, 'stream_messages_read_total')).size === 2)
  const messages = Array.from({ length: 20 }, (_, n) => ({ body: n, routingKey: `k${n}` }))
  await gateway.request('POST', `/v1/super-streams/${superStream}/messages`, { json: { messages } })
  const confirmed = await series(gateway, 'stream_messages_confirmed_total')
  t.ok([...confirmed.values()].every((count) => count > 0), 'each has some')
  t.equal(await sum('stream_messages_confirmed_total'), 20)
  await gateway.get(`/v1/super-streams/${superStream}/messages?offset=first`)
  t.same(await series(gateway, 'stream_messages_read_total'), confirmed)
})

t.test('live subscriptions are counted, and their names are listed before they have stored anything', async (t) => {
  const stream = await streamWith(t, plain, 1)
  const gateway = await startGateway(t, { ...FAST, LAG_STREAMS: stream })
  const url = `${plain.url}/v1/streams/${stream}/consumers/group/messages?singleActive=true`
  for (let n = 0; n < 2; n++) await LiveClient.open(t, url)
  const labels = `stream="${stream}",consumer="group"`
  await until('both', async () => await valueOf(gateway, 'consumer_subscriptions', labels) === 2)
  t.equal(await valueOf(gateway, 'consumer_stored_offset', labels), undefined)
})
