import t from 'tap'
import { Gate } from '../../../src/push/delivery/gate.ts'
import type { Attempt } from '../../../src/push/endpoint/attempt.ts'

const AWAY: Attempt = {
  failure: 'endpoint',
  status: 503,
  processed: undefined,
  isFinal: false,
  retryAfterMs: undefined,
  error: '503',
  isRefused: false
}

t.test('while the endpoint is away a clock that is put back by a year keeps no probe waiting', async (t) => {
  let nowMs = 100_000_000_000
  const sleeps: number[] = []
  const gate = new Gate({
    concurrency: 4,
    delays: { initialDelayMs: 1000, maxDelayMs: 60_000, factor: 2 },
    now: () => nowMs,
    head: () => 0
  }, undefined)
  const admit = async (): Promise<number> => await gate.admit(0, async (at) => {
    sleeps.push(at - nowMs)
    if (sleeps.length > 3) throw new Error('it sleeps again and again')
    nowMs = at
  })
  t.equal(await admit(), Infinity)
  gate.answered(AWAY)
  t.equal(await admit(), 1)
  t.equal(sleeps.length, 1)
  gate.answered(AWAY)
  nowMs -= 31_536_000_000
  t.equal(await admit(), 1, 'it is due')
  t.equal(sleeps.length, 1)
})
