import t, { type Test } from 'tap'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { list, record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'
import { until } from '../support/until.ts'

// What readers hold in memory is not gone when retention removes it: they hold little.
const gateway = await startPushGateway(t, { READER_WINDOW_BYTES: '65536' })
const RETRY = { initialDelayMs: 100, maxDelayMs: 300, messageAttempts: 1 }
const COMMIT = { everyMs: 100 }

interface Bench {
  readonly stream: string
  readonly path: string
  readonly status: () => Promise<Record<string, unknown>>
  readonly ask: (what: string, json?: object) => Promise<void>
}

async function bench (t: Test, args?: object): Promise<Bench> {
  const { stream, path: all } = await newSource(t, gateway, args)
  const path = `${all}/s`
  t.teardown(async () => { await gateway.request('DELETE', path) })
  return {
    stream,
    path,
    status: async () => record(record((await gateway.get(path)).json)['status']),
    async ask (what, json) {
      const { status, text } = await gateway.request('POST', `${path}/${what}`, { ...(json && { json }) })
      if (status !== 200) throw new Error(`${what} was answered ${status}: ${text}`)
    }
  }
}

t.test('a reset to the second message delivers it first, though its place looks like the first one\'s', async (t) => {
  const { stream, path, ask } = await bench(t)
  const receiver = await startReceiver(t)
  await gateway.publish(stream, 'a', 'b', 'c')
  await gateway.request('PUT', path, { json: { url: receiver.url, start: 'first', commit: COMMIT } })
  await receiver.received(3)
  await ask('reset', { to: { offset: 1 } })
  await receiver.received(5)
  t.same(receiver.deliveries.map(({ offset }) => offset), [0, 1, 2, 1, 2])
})

t.test('after a reset a message that is refused again has another entry, in the new generation', async (t) => {
  const { stream, path, ask } = await bench(t)
  const receiver = await startReceiver(t)
  receiver.react(({ offset }) => offset === 1 ? 422 : 204)
  await gateway.publish(stream, 'a', 'poison', 'c')
  await gateway.request('PUT', path, { json: { url: receiver.url, start: 'first', retry: RETRY, commit: COMMIT } })
  for (const rounds of [1, 2, 3]) {
    await until('all are settled', () => receiver.processed.length === 2 * rounds)
    const entries = await until('the entry is there', async () => {
      const { json } = await gateway.get(`/v1/streams/${stream}_errors/messages`)
      const messages = list(record(json)['messages'])
      return messages.length >= rounds && messages
    })
    t.same(entries.map((entry) => record(entry)['body']), Array.from({ length: rounds }, () => 'poison'))
    if (rounds < 3) await ask('reset', { to: 'first' })
  }
  const generations = receiver.deliveries.map(({ headers }) => Number(headers['delivery-generation']))
  t.same(generations, [...generations].sort((a, b) => a - b))
  t.equal(new Set(generations).size, 3)
})

// Until the message at the offset is gone.
async function trim (stream: string, offset: number): Promise<number> {
  return await until('retention has passed it', async () => {
    await gateway.publish(stream, ...Array.from({ length: 100 }, () => 'x'.repeat(2000)))
    const firstOffset = Number(record((await gateway.get(`/v1/streams/${stream}`)).json)['firstOffset'])
    return firstOffset > offset && firstOffset
  })
}

const SMALL = { maxLengthBytes: 400_000, maxSegmentSizeBytes: 100_000 }

t.test('retention that passes a failing subscription leaves a gap, which its status counts', async (t) => {
  const { stream, path, status } = await bench(t, SMALL)
  const receiver = await startReceiver(t)
  await gateway.publish(stream, 'a', 'b')
  receiver.react(({ offset }) => offset === 0 ? 204 : 503)
  const retry = { ...RETRY, initialDelayMs: 2000, maxDelayMs: 2000 }
  await gateway.request('PUT', path, { json: { url: receiver.url, start: 'first', retry, commit: COMMIT } })
  await until('it fails', async () => (await status())['state'] === 'failing')
  await trim(stream, 1)
  receiver.react(204)
  await until('it is delivered again', () => receiver.processed.length > 1)
  const [, next = 0] = receiver.processed
  t.comment(receiver.processed.slice(0, 5), next)
  await until('the gap is told', async () => Number((await status())['missed']) > 0)
  t.equal((await status())['missed'], next - 1)
})

t.test('retention that passes a paused subscription leaves a gap, and the rest is delivered', async (t) => {
  const { stream, path, status, ask } = await bench(t, SMALL)
  const receiver = await startReceiver(t)
  // Its start would leave out everything that is there by the time it goes on.
  await gateway.request('PUT', path, { json: { url: receiver.url, start: 'next', commit: COMMIT } })
  await until('it is idle', async () => (await status())['state'] === 'idle')
  await gateway.publish(stream, 'a', 'b')
  await receiver.received(2)
  await ask('pause')
  const first = await trim(stream, 2)
  await ask('resume')
  await until('it is delivered', () => receiver.processed.length > 2)
  const [, last = 0, next = 0] = receiver.processed
  t.comment(first, receiver.processed.slice(0, 5))
  t.ok(next >= first, 'from the first')
  const missed = await until('the gap is told', async () => Number((await status())['missed']) || undefined)
  t.ok(missed >= first - last - 2 && missed < next - last, `${missed} between ${last} and ${next}`)
  await ask('pause')
  await ask('resume')
  await until('it runs', async () => ['idle', 'delivering'].includes(String((await status())['state'])))
  t.equal((await status())['missed'], missed, 'and is still told by the next worker')
})
