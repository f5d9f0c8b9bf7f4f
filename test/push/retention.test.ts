import t, { type Test } from 'tap'
import { QUICKLY_IDLE } from '../support/leftovers.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { startReceiver, type PushReceiver } from '../support/push-receiver.ts'
import { record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'
import { until } from '../support/until.ts'

// What a reader has open is not gone when retention removes it.
const gateway = await startPushGateway(t, QUICKLY_IDLE)
const SMALL = { maxLengthBytes: 400_000, maxSegmentSizeBytes: 100_000 }

async function readers (): Promise<number> {
  const { text } = await gateway.get('/metrics')
  return Number(/^rabbitmq_stream_gateway_readers (\d+)$/m.exec(text)?.[1])
}

interface Bench {
  readonly receiver: PushReceiver
  readonly publish: (...bodies: readonly string[]) => Promise<void>
  readonly status: () => Promise<Record<string, unknown>>
  readonly ask: (what: string) => Promise<void>
  /** Publishes until the message at the offset is gone. Returns the first offset that is left. */
  readonly trim: (offset: number) => Promise<number>
}

async function bench (t: Test, definition: object): Promise<Bench> {
  const { stream, path: all } = await newSource(t, gateway, SMALL)
  const path = `${all}/s`
  const receiver = await startReceiver(t)
  const publish = async (...bodies: readonly string[]): Promise<void> => {
    t.equal((await gateway.publish(stream, ...bodies)).status, 200)
  }
  const json = { url: receiver.url, commit: { everyMs: 100 }, paused: true, ...definition }
  t.equal((await gateway.request('PUT', path, { json })).status, 201)
  t.teardown(async () => { await gateway.request('DELETE', path) })
  const status = async (): Promise<Record<string, unknown>> => {
    return record(record((await gateway.get(path)).json)['status'])
  }
  const ask = async (what: string): Promise<void> => {
    t.equal((await gateway.request('POST', `${path}/${what}`)).status, 200)
  }
  // No reader has this stream now.
  await until('it is paused', async () => (await status())['state'] === 'paused')
  const before = await readers()
  await ask('resume')
  return {
    receiver,
    publish,
    status,
    ask,
    async trim (offset) {
      await until('the stream is not read', async () => await readers() <= before)
      return await until('retention has passed it', async () => {
        await publish(...Array.from({ length: 100 }, () => 'x'.repeat(2000)))
        const firstOffset = Number(record((await gateway.get(`/v1/streams/${stream}`)).json)['firstOffset'])
        return firstOffset > offset && firstOffset
      })
    }
  }
}

t.test('retention that passes a failing subscription leaves a gap, which its status counts', async (t) => {
  const retry = { initialDelayMs: 6000, maxDelayMs: 6000 }
  const { receiver, publish, status, trim } = await bench(t, { start: 'first', retry })
  receiver.react(({ offset }) => offset === 0 ? 204 : 503)
  await publish('a', 'b')
  await until('it fails', async () => (await status())['state'] === 'failing')
  const first = await trim(1)
  receiver.react(204)
  await until('it is delivered again', () => receiver.processed.length > 1)
  const [, next = 0] = receiver.processed
  t.ok(next >= first, 'from the first message that is left')
  const missed = await until('the gap is told', async () => Number((await status())['missed']) || undefined)
  t.ok(missed <= next - 1 && missed >= first - 4, `${missed} before ${next}`)
})

t.test('retention that passes a paused subscription leaves a gap, and the rest is delivered', async (t) => {
  // Its start would leave out everything that is there by the time it is resumed.
  const { receiver, publish, status, ask, trim } = await bench(t, { start: 'next' })
  await until('it is idle', async () => (await status())['state'] === 'idle')
  await publish('a', 'b')
  await receiver.received(2)
  await ask('pause')
  const { nextOffset } = await status()
  const first = await trim(Number(nextOffset))
  await ask('resume')
  await until('it is delivered', () => receiver.processed.length > 2)
  const [, , next = 0] = receiver.processed
  t.ok(next >= first && next < first + 100, `${next} is the first message that is left, near ${first}`)
  const missed = await until('the gap is told', async () => Number((await status())['missed']) || undefined)
  // Records of the broker's own have offsets too.
  t.ok(missed <= next - 2 && missed >= first - 4, `${missed} before ${next}`)
  await ask('pause')
  await ask('resume')
  await until('it runs', async () => ['idle', 'delivering'].includes(String((await status())['state'])))
  t.equal((await status())['missed'], missed, 'and is still told by the next worker')
})
