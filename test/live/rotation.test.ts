import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { LiveClient } from '../support/live-client.ts'

const DURATION_MS = 2000
// The answers are looked at once a second. On a busy machine that may be late.
const LATE_MS = 6000
const gateway = await startGateway(t, { LIVE_MAX_DURATION_MS: String(DURATION_MS) })
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

t.test('an answer ends when LIVE_MAX_DURATION_MS is over, 10 % more or less', (t) => {
  const nowMs = performance.now()
  const shares = upTo(1000).map(() => (gateway.app.live.rotateAtMs() - nowMs) / DURATION_MS)
  const slack = (performance.now() - nowMs) / DURATION_MS
  t.ok(Math.min(...shares) >= 0.9 && Math.max(...shares) <= 1.1 + slack)
  const fifths = upTo(5).map((fifth) => shares.filter((share) => Math.floor((share - 0.9) / 0.04) === fifth).length)
  t.ok(Math.min(...fifths) > 100, `evenly spread: ${fifths.join(', ')}`)
  t.end()
})

t.test('`bye rotation` says when and where to come back: nothing is missing and nothing comes twice', async (t) => {
  const stream = await gateway.newStream(t)
  const url = `${gateway.url}/v1/streams/${stream}/messages`
  await gateway.publish(stream, 0, 1, 2)
  const startMs = performance.now()
  const open = async (query = '', lastId?: string): Promise<LiveClient> => await LiveClient.open(
    t, url + query, { ...lastId !== undefined && { 'last-event-id': lastId }, ...query !== '' && { accept: '*/*' } }
  )
  const clients = await Promise.all([...upTo(50).map(async () => await open()), open('?follow=true')])
  await gateway.publish(stream, 3, 4)
  for (const client of clients) await client.until('the end', ({ isClosed }) => isClosed)
  t.ok(performance.now() - startMs >= 0.9 * DURATION_MS)
  const lines = clients.pop()
  for (const client of clients) {
    const { offsets, retries } = client
    t.same(client.named('bye'), [{ reason: 'rotation', nextOffset: offsets.length }])
    t.equal(client.lastId, String(offsets.length))
    t.ok(client.isWhole)
    t.equal(retries[0], 2000, 'for a cut')
    const [retryMs = 0] = retries.slice(-1)
    t.ok(retries.length === 2 && retryMs >= 500 && retryMs <= 3000, `for the bye: ${retries.join(', ')}`)
  }
  const retries = clients.map((client) => client.retries.at(-1) ?? 0)
  t.ok(Math.max(...retries) - Math.min(...retries) > 1000, 'not all at once')
  t.ok(new Set(retries).size > 20)
  t.same(lines?.named('bye'), [{ reason: 'rotation', nextOffset: lines?.offsets.length }])
  const tookMs = gateway.log.filter(({ reason }) => reason === 'rotation').map(({ ms }) => Number(ms))
  t.equal(tookMs.length, 51)
  t.ok(Math.min(...tookMs) >= 0.9 * DURATION_MS - 1 && Math.max(...tookMs) <= 1.1 * DURATION_MS + LATE_MS)

  await gateway.publish(stream, 5)
  for (const client of clients) {
    const again = await open('', client.lastId)
    const all = (): number[] => [...client.offsets, ...again.offsets]
    await again.until('the rest', () => all().length >= 6)
    t.same(all(), upTo(6))
    again.close()
  }
})

t.test('0 is never', async (t) => {
  const gateway = await startGateway(t, { LIVE_MAX_DURATION_MS: '0' })
  t.equal(gateway.app.live.rotateAtMs(), Infinity)
})
