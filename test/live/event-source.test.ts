import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf } from '../support/live-client.ts'
import { LiveFollower } from '../support/live-follower.ts'
import { until } from '../support/until.ts'

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const publisher = await startGateway(t)
// Between two messages: the followers share the machine with the gateways.
const PAUSE_MS = 10

async function start (t: Test, port = 0): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({
    env: {
      AUTH: 'none',
      HTTP_PORT: String(port),
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      DRAIN_DELAY_MS: '200'
    }
  })
  t.teardown(async () => { await gateway.end('SIGKILL') })
  return gateway
}

/** Publishes one message after the other until it is told to stop. */
class Publishing {
  count = 0
  #isOver = false
  readonly #done: Promise<void>

  constructor (stream: string) {
    this.#done = this.#run(stream)
  }

  async stop (): Promise<number> {
    this.#isOver = true
    await this.#done
    return this.count
  }

  async #run (stream: string): Promise<void> {
    while (!this.#isOver) {
      const { status, text } = await publisher.publish(stream, this.count)
      if (status !== 200) throw new Error(text)
      this.count++
      await delay(PAUSE_MS)
    }
  }
}

t.test('an EventSource follows through gateways that are killed, told to end, and started again', async (t) => {
  const stream = await publisher.newStream(t)
  let gateway = await start(t)
  const { port } = gateway
  const followers = upTo(20).map(() =>
    new LiveFollower(t, `${gateway.url}/v1/streams/${stream}/messages?errors=event`))
  const publishing = new Publishing(stream)
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    const seen = publishing.count + 20
    await Promise.all(followers.map(async (follower) => { await follower.hasMessages(seen) }))
    const attempts = followers.map((follower) => follower.attempts.length)
    t.same(await gateway.end(signal), signal === 'SIGTERM' ? { code: 0, signal: null } : { code: null, signal })
    gateway = await start(t, port)
    await until('all are back', () => followers.every(({ isOpen, attempts: { length } }, index) =>
      isOpen && length > (attempts[index] ?? 0)))
  }
  const count = await publishing.stop()
  for (const follower of followers) {
    await follower.hasMessages(count)
    t.same(follower.offsets, upTo(count))
    t.same(follower.faults, [])
    t.same(follower.byes, ['draining'])
  }
  // After a kill all come back after the same time, after a bye they are spread.
  const [first] = followers
  t.ok(first !== undefined && first.attempts.length >= 3)
  const lastMs = followers.map(({ attempts }) => attempts.at(-1)?.atMs ?? 0)
  t.ok(Math.max(...lastMs) - Math.min(...lastMs) > 500, 'they come back one after the other')
})

t.test('an EventSource follows through one rotation after the other, and sees everything once', async (t) => {
  const gateway = await startGateway(t, { LIVE_MAX_DURATION_MS: '1000' })
  const stream = await gateway.newStream(t)
  const followers = upTo(10).map(() => new LiveFollower(t, `${gateway.url}/v1/streams/${stream}/messages`))
  const publishing = new Publishing(stream)
  await until('each was ended twice', () => followers.every(({ byes }) => byes.length >= 2))
  const count = await publishing.stop()
  for (const follower of followers) {
    await follower.hasMessages(count)
    t.same(follower.offsets, upTo(count))
    t.same(follower.faults, [])
    t.same(new Set(follower.byes), new Set(['rotation']))
    t.equal(follower.attempts[0]?.lastId, undefined)
    t.ok(follower.attempts.slice(1).every(({ lastId }) => Number(lastId) >= 0), 'it comes back with an id')
  }
})

t.test('an EventSource that retention passes while it is away is told of the gap, and of nothing else', async (t) => {
  const gateway = await start(t)
  const stream = await publisher.newStream(t, { maxLengthBytes: 500_000, maxSegmentSizeBytes: 100_000 })
  const follower = new LiveFollower(t, `${gateway.url}/v1/streams/${stream}/messages`)
  const publish = async (count: number): Promise<void> => {
    const body = `${'x'.repeat(1000)}\n`.repeat(count)
    t.equal((await publisher.request('POST', `/v1/streams/${stream}/messages/lines`, { body })).status, 200)
  }
  await publish(10)
  await follower.hasMessages(10)
  await gateway.end('SIGKILL')
  for (let times = 0; times < 20; times++) await publish(100)
  const firstOffset = await until('retention has passed it', async () => {
    const first = Number(fieldOf((await publisher.get(`/v1/streams/${stream}`)).json, 'firstOffset'))
    return first > 10 && first
  })
  await start(t, gateway.port)
  await until('it has come to the end', () => follower.offsets.at(-1) === 2009)
  t.same(follower.faults, [])
  t.match(follower.gaps, exactly({ from: 10 }))
  const gap = follower.gaps[0]?.to ?? 0
  t.ok(gap + 1 >= firstOffset)
  t.same(follower.offsets, [...upTo(10), ...upTo(2010).slice(gap + 1)])
})
