import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { LiveClient } from '../support/live-client.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t, { READER_WINDOW_BYTES: '65536' })

async function figure (name: string): Promise<number> {
  const { text } = await gateway.get('/metrics')
  const [, value] = new RegExp(`^rabbitmq_stream_gateway_${name} (.*)$`, 'm').exec(text) ?? []
  return Number(value)
}

t.test('how long the slowest live answer is behind is measured, until it is at the end', async (t) => {
  const stream = await gateway.newStream(t)
  const url = `${gateway.url}/v1/streams/${stream}/messages`
  t.equal(await figure('live_behind_seconds'), 0)
  const clients = [await LiveClient.open(t, url), await LiveClient.open(t, url)]
  const [slow, fast] = clients
  slow?.response.pause()
  const body = `${'x'.repeat(999)}\n`.repeat(1000)
  for (let n = 0; n < 12; n++) await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body })
  await fast?.until('everything', ({ messages }) => messages.length === 12_000)
  await until('the slow one is behind', async () => await figure('live_behind_seconds') > 2)
  slow?.response.resume()
  await slow?.until('everything', ({ messages }) => messages.length === 12_000)
  await until('nobody is behind', async () => await figure('live_behind_seconds') < 2)
})

t.test('members of groups of single active consumers are counted, and are not behind while they wait', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 0)
  const url = `${gateway.url}/v1/streams/${stream}/consumers/c/messages?singleActive=true`
  const clients = [await LiveClient.open(t, url), await LiveClient.open(t, url)]
  t.equal(await figure('active_consumer_members'), 2)
  await until('one is active', () => clients.some((client) => client.messages.length === 1))
  await until('neither is behind', async () => await figure('live_behind_seconds') < 2)
  for (const client of clients) client.close()
  await until('they have left', async () => await figure('active_consumer_members') === 0)
})
