import t from 'tap'
import { OffsetRing } from '../../../src/streams/sampling/offset-ring.ts'
import { ReadTimes } from '../../../src/streams/sampling/read-times.ts'

function ringOf (capacity: number, ...ends: ReadonlyArray<readonly [timeMs: number, nextOffset: number]>): OffsetRing {
  const ring = new OffsetRing(capacity)
  for (const [timeMs, nextOffset] of ends) ring.add({ timeMs, firstOffset: 0, nextOffset })
  return ring
}

t.test('an offset has the time between the two samples that it lies between', async (t) => {
  const ring = ringOf(10, [1000, 100], [2000, 200], [3000, 200], [4000, 300])
  t.equal(ring.timeOf(100), 1000)
  t.equal(ring.timeOf(150), 1500)
  t.equal(ring.timeOf(199), 1990)
  t.equal(ring.timeOf(200), 3000, 'the stream had stood still until then')
  t.equal(ring.timeOf(250), 3500)
})

t.test('what is older than the samples, or was not there yet, has no time', async (t) => {
  const ring = ringOf(10, [1000, 100], [2000, 200])
  t.equal(ring.timeOf(99), undefined)
  t.equal(ring.timeOf(200), undefined)
  t.equal(ringOf(10).timeOf(0), undefined)
  t.equal(ringOf(10, [1000, 5]).timeOf(1), undefined)
})

t.test('the latest samples are kept, in their order, however many there are', async (t) => {
  for (const capacity of [1, 2, 63, 64, 65, 150, 1000]) {
    const ring = new OffsetRing(capacity)
    for (let n = 1; n <= 700; n++) {
      ring.add({ timeMs: n * 10, firstOffset: n - 1, nextOffset: n })
      const kept = Math.min(n, capacity)
      if (ring.length !== kept) t.fail(`${ring.length} samples of ${n}, with room for ${capacity}`)
    }
    const times = ring.since(0).map(({ timeMs }) => timeMs)
    t.same(times, Array.from({ length: Math.min(700, capacity) }, (_, n) => (700 - n) * 10).reverse(), `${capacity}`)
    t.same(ring.since(6995), [{ timeMs: 7000, firstOffset: 699, nextOffset: 700 }])
    if (capacity > 2) t.equal(ring.timeOf(699), 6990)
  }
})

t.test('the samples of a stream that is another one begin anew', async (t) => {
  const ring = ringOf(3, [1000, 100], [2000, 200], [3000, 300], [4000, 400], [5000, 7], [6000, 9])
  t.same(ring.since(0).map(({ nextOffset }) => nextOffset), [7, 9])
  t.equal(ring.timeOf(8), 5500)
})

t.test('a message older than the samples has the time of its chunk, asked for as rarely as can be', async (t) => {
  const asked: number[] = []
  const now = Date.now()
  const times = new ReadTimes(ringOf(10, [now - 1000, 100], [now, 200]), async (offset) => {
    asked.push(offset)
    return now - 100_000 + offset
  })
  const ask = async (offset: number, mayProbe = true) => await times.secondsBehind('c', offset, 1, () => mayProbe)
  t.equal(await ask(10, false), undefined, 'not known yet')
  const seconds = await ask(10) ?? 0
  t.ok(seconds >= 99.9 && seconds < 130, String(seconds))
  await ask(10)
  t.ok((await ask(20) ?? 0) >= seconds, 'the time from before, for a minute')
  t.same(asked, [10])
  t.ok((await ask(150) ?? 100) < 50, 'the samples know it')
  t.equal(await times.secondsBehind('c', 200, 0, () => true), 0)
  times.keepOnly(new Set())
  await ask(30)
  t.same(asked, [10, 30])
})

t.test('a clock of the broker that is ahead makes no negative time', async (t) => {
  const times = new ReadTimes(ringOf(10), async () => Date.now() + 60_000)
  t.equal(await times.secondsBehind('c', 0, 1, () => true), 0)
})
