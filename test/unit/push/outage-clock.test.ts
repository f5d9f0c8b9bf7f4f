import t from 'tap'
import { offsets, STATUS_OK, World } from './world.ts'

t.test('a clock that is put back or forward by a year keeps no message waiting', async (t) => {
  const YEAR_MS = 31_536_000_000
  for (const jumpMs of [-YEAR_MS, YEAR_MS]) {
    const world = new World((_, call) => call === 1 ? 503 : STATUS_OK, { maxOutageMs: 2 * YEAR_MS })
    const delivery = world.delivery()
    const { signal } = new AbortController()
    t.equal(await delivery.try(offsets(0, 2), signal), 'later')
    world.jump(jumpMs)
    t.equal(await delivery.try(offsets(0, 2), signal), undefined, 'it is due')
    t.same(world.requests, [[0, 1], [0], [1]])
  }
})

t.test('a clock that is set makes no outage longer or shorter, and its begin is shown by the new clock', async (t) => {
  const requests: number[] = []
  for (const jumpMs of [0, -1_000_000_000, 1_000_000_000]) {
    const world = new World(() => 503)
    const delivery = world.delivery()
    const { signal } = new AbortController()
    const beganAt = world.nowMs
    t.equal(await delivery.try(offsets(0, 1), signal), 'later')
    world.nowMs += 5000
    world.jump(jumpMs)
    t.equal(await delivery.try(offsets(0, 1), signal), 'later', 'it is no outage yet')
    t.equal(delivery.retry?.firstFailedAt, beganAt + jumpMs)
    t.equal(await delivery.deliver(offsets(0, 1), signal), 'outage')
    requests.push(world.requests.length)
  }
  const [expected = 0, ...others] = requests
  for (const count of others) t.ok(Math.abs(count - expected) <= 3, `${count} requests, ${expected} without a jump`)
})

t.test('the begin of an outage that another process has seen counts by the clock', async (t) => {
  const world = new World(() => 503)
  const delivery = world.delivery({
    offset: 0,
    attempts: 3,
    counted: 0,
    failure: 'endpoint',
    status: 503,
    error: '503',
    firstFailedAt: world.nowMs - 100_000_000,
    failedAt: world.nowMs - 1000,
    nextAttemptAt: world.nowMs
  })
  t.equal(await delivery.try(offsets(0, 1), new AbortController().signal), 'outage')
})
