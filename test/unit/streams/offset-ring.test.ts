import t from 'tap'
import { OffsetRing, ringSize } from '../../../src/streams/sampling/offset-ring.ts'
import { ReadTimes } from '../../../src/streams/sampling/read-times.ts'

function ringOf (capacity: number, ...ends: ReadonlyArray<readonly [timeMs: number, nextOffset: number]>): OffsetRing {
  const ring = new OffsetRing({ capacity, spacingMs: 0 })
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
    const ring = new OffsetRing({ capacity, spacingMs: 0 })
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

t.test('a begin or a clock that goes back makes the samples begin anew too', async (t) => {
  const ring = new OffsetRing({ capacity: 10, spacingMs: 0 })
  t.notOk(ring.add({ timeMs: 1000, firstOffset: 50, nextOffset: 100 }))
  t.notOk(ring.add({ timeMs: 2000, firstOffset: 60, nextOffset: 100 }), 'retention')
  t.ok(ring.add({ timeMs: 3000, firstOffset: 0, nextOffset: 500 }), 'created again, and larger than it was')
  t.same(ring.since(0), [{ timeMs: 3000, firstOffset: 0, nextOffset: 500 }])
  t.ok(ring.add({ timeMs: 1500, firstOffset: 0, nextOffset: 600 }), 'the clock went back')
  t.notOk(ring.add({ timeMs: 2500, firstOffset: 0, nextOffset: 700 }))
  t.same(ring.since(0).map(({ timeMs }) => timeMs), [1500, 2500])
  t.equal(ring.timeOf(550), undefined)
  t.equal(ring.timeOf(650), 2000)
})

t.test('the samples of all streams take 64 MiB at most, and reach back for the whole time', async (t) => {
  const hours = 2 * 3_600_000
  for (const [intervalMs, streams] of [[2000, 12_500], [30_000, 12_500], [2000, 625], [3_600_000, 12]] as const) {
    const size = ringSize(hours, intervalMs, streams)
    t.ok(size.capacity * 24 * streams <= 64 * 1024 * 1024, `${size.capacity} samples of ${streams} streams`)
    const ring = new OffsetRing(size)
    const rounds = 3 * hours / intervalMs
    for (let n = 1; n <= rounds; n++) {
      ring.add({ timeMs: n * intervalMs, firstOffset: 0, nextOffset: n })
      if (ring.length > size.capacity) t.fail('more than there is room for')
    }
    const times = ring.since(0).map(({ timeMs }) => timeMs)
    const endMs = rounds * intervalMs
    t.equal(times.at(-1), endMs, 'the latest one is always kept')
    t.ok((times[0] ?? endMs) <= endMs - hours, `${times[0]} of ${endMs}`)
    const longest = times.reduce((gap, time, at) => Math.max(gap, time - (times[at - 1] ?? time)), 0)
    t.ok(longest <= Math.max(intervalMs, size.spacingMs + intervalMs), `${longest} ms between two`)
    t.equal(size.spacingMs === 0, intervalMs * size.capacity >= hours)
  }
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

t.test('a chunk whose time was not found is asked for again a minute later', async (t) => {
  const minute = 61_000
  let now = 1000
  t.intercept(performance, 'now', { value: () => now })
  const answers = [undefined, Date.now() - 5000]
  const times = new ReadTimes(ringOf(10), async () => answers.shift())
  const ask = async () => await times.secondsBehind('c', 7, 1, () => true)
  t.equal(await ask(), undefined)
  t.equal(await ask(), undefined, 'not at once')
  now += minute
  t.ok((await ask() ?? 0) >= 5)
  now += minute
  t.ok((await ask() ?? 0) >= 5, 'what is written stays')
  t.same(answers, [])
})

t.test('a clock of the broker that is ahead makes no negative time', async (t) => {
  const times = new ReadTimes(ringOf(10), async () => Date.now() + 60_000)
  t.equal(await times.secondsBehind('c', 0, 1, () => true), 0)
})
