import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { adminKey, newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { LiveClient } from '../support/live-client.ts'
import { until } from '../support/until.ts'

const RATE = 60_000
const LINE = `${'x'.repeat(999)}\n`

const admin = adminKey()
const limited = newKey({ name: 'limited', limits: { readBytesPerSecond: RATE } })
const free = newKey({ name: 'free' })
const { gateway } = await startKeyedGateway(t, admin, limited, free)

async function newStream (t: Test, lines: number): Promise<string> {
  const stream = `quota-${randomUUID()}`
  await gateway.request('PUT', `/v1/streams/${stream}`, { headers: admin.headers })
  t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${stream}`, { headers: admin.headers }) })
  await post(stream, lines)
  return stream
}

async function post (stream: string, lines: number): Promise<void> {
  const path = `/v1/streams/${stream}/messages/lines`
  const { status, text } = await gateway.request('POST', path, { body: LINE.repeat(lines), headers: admin.headers })
  if (status !== 200) throw new Error(`publishing answered ${status}: ${text}`)
}

function urlOf (stream: string, query = ''): string {
  return `${gateway.url}/v1/streams/${stream}/messages${query}`
}

function upTo (count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

t.test('a live answer above its quota is slowed, and neither cut nor held in memory', async (t) => {
  const stream = await newStream(t, 400)
  const startMs = performance.now()
  const fast = await LiveClient.open(t, urlOf(stream), free.headers)
  const slow = await LiveClient.open(t, urlOf(stream), limited.headers)
  await fast.until('everything', ({ messages }) => messages.length === 400)
  t.ok(slow.messages.length < 400, 'a caller without a quota does not wait for one that has')
  await slow.until('everything', ({ messages }) => messages.length === 400, 30_000)
  t.same(slow.offsets, upTo(400))
  // What a caller saves for a burst, and one write that begins before that is used up, come at once.
  const leastMs = (slow.text.length - 2 * RATE - 2 * 64 * 1024) / RATE * 1000
  const tookMs = performance.now() - startMs
  t.ok(tookMs >= leastMs, `${slow.text.length} bytes took ${Math.round(tookMs)} ms of at least ${Math.round(leastMs)}`)
  t.notOk(slow.isClosed)
  slow.close()
})

t.test('live answers of one caller take turns, and one that leaves is not waited for', async (t) => {
  const stream = await newStream(t, 0)
  await until('what was read before is paid', async () =>
    (await gateway.get(`/v1/streams/${stream}/messages`, limited.headers)).status === 200)
  const clients = await Promise.all(upTo(3).map(async () => await LiveClient.open(t, urlOf(stream), limited.headers)))
  await post(stream, 100)
  const [first, second, third] = clients
  if (first === undefined || second === undefined || third === undefined) throw new Error('three are open')
  await until('each has something', () => clients.every(({ messages }) => messages.length > 0))
  first.close()
  await Promise.all([second, third].map(async (client) => {
    await client.until('everything', ({ messages }) => messages.length === 100, 40_000)
    t.same(client.offsets, upTo(100))
  }))
})
