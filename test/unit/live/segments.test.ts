import t, { type Test } from 'tap'
import { FOLLOWING_NDJSON } from '../../../src/live/live-format.ts'
import { representation } from '../../../src/live/segment.ts'
import { Segments } from '../../../src/live/segments.ts'
import { ByteBudget, ReadFilter, type Condition, type LiveSource } from '../../../src/streams/index.ts'
import { parseChunk } from '../../../src/streams/protocol/index.ts'
import { Answers } from '../../../src/streams/reading/answers.ts'
import { partOfChunk } from '../../../src/streams/reading/chunk-part.ts'
import { Expansions } from '../../../src/streams/reading/expansions.ts'
import { HeldChunk } from '../../../src/streams/reading/held-chunk.ts'
import { encoded } from '../../support/heavy-stream.ts'
import { until } from '../../support/until.ts'
import { encodeChunk } from '../protocol/encode-chunk.ts'

const subject = (...texts: string[]): Condition =>
  ({ field: 'subject', anyOf: texts.map((text) => ({ kind: 'exact', text })) })

const messageId = (text: string): Condition => ({ field: 'messageId', anyOf: [{ kind: 'prefix', text }] })

function filterOf (...conditions: Condition[]): ReadFilter {
  return new ReadFilter({ values: [], matchUnfiltered: false, conditions })
}

/** A chunk in memory whose messages have the subjects `0` to `9` in turn. */
function chunkOf (t: Test, count: number) {
  const budget = new ByteBudget(64 * 1024 * 1024)
  const expansions = new Expansions(1024, budget, () => {})
  t.teardown(async () => { await expansions.close() })
  const entries = Array.from({ length: count }, (_, n) =>
    ({ body: encoded({ body: Buffer.from(`${n}`), properties: { subject: String(n % 10) } }) }))
  return { budget, chunk: new HeldChunk(parseChunk(encodeChunk({ entries }), 0), budget, expansions) }
}

/** A follower that has come to an offset. It counts how often messages are taken out of a chunk for it. */
function sourceOf (budget: ByteBudget, filter: ReadFilter | undefined) {
  const answers = new Answers(budget, () => {})
  const state = { nextOffset: 0, lastOffset: null, lag: null, endOfStream: false }
  let position = 0
  let parts = 0
  const source: LiveSource = {
    stream: 's',
    get position () { return position },
    isAtEnd: false,
    take: () => undefined,
    part (chunk, bounds) {
      parts++
      return partOfChunk(chunk, answers, bounds, filter)
    },
    advance ({ to }) { position = to },
    look () {},
    rest () {},
    seek () {},
    state: async () => state,
    close () {}
  }
  return {
    source,
    get parts () { return parts },
    representation: representation(FOLLOWING_NDJSON, 'auto', filter?.identity),
    limit: Infinity,
    whenMade () {}
  }
}

t.test('readers with the same filter share one text, and readers with another one do not', (t) => {
  const { chunk, budget } = chunkOf(t, 100)
  const segments = new Segments(() => undefined)
  const first = sourceOf(budget, filterOf(subject('1', '2'), messageId('a')))
  const same = sourceOf(budget, filterOf(messageId('a'), subject('2', '1', '1')))
  const another = sourceOf(budget, filterOf(subject('1', '2')))
  const all = sourceOf(budget, undefined)
  const made = segments.of(chunk, first)
  t.equal(segments.of(chunk, same), made)
  t.equal(first.parts, 1)
  t.equal(same.parts, 0)
  t.match(made, { from: 0, to: 100, count: 0, lastEnd: 0 })
  t.match(segments.of(chunk, another), { from: 0, to: 100, count: 20, lastEnd: 93 })
  t.match(segments.of(chunk, all), { from: 0, to: 100, count: 100, lastEnd: 100 })
  segments.clear()
  t.end()
})

t.test('filters that differ in a field, a kind or a value are not the same', (t) => {
  const filters = [
    filterOf(), filterOf(subject('a')), filterOf(subject('a', 'b')), filterOf(subject('a b')), filterOf(messageId('a')),
    filterOf({ field: 'messageId', anyOf: [{ kind: 'suffix', text: 'a' }] }),
    filterOf({ field: { applicationProperty: 'subject' }, anyOf: [{ kind: 'exact', text: 'a' }] }),
    new ReadFilter({ values: ['a'], matchUnfiltered: false, conditions: [] }),
    new ReadFilter({ values: ['a'], matchUnfiltered: true, conditions: [] }),
    new ReadFilter({ values: ['a'], matchUnfiltered: true, conditions: [subject('a')] })
  ]
  t.equal(new Set(filters.map(({ identity }) => identity)).size, filters.length)
  t.end()
})

t.test('a large chunk is looked into in pieces, each in a turn of its own', async (t) => {
  const { chunk, budget } = chunkOf(t, 25_000)
  const turns: Array<() => void> = []
  const segments = new Segments(async () => { await new Promise<void>((resolve) => { turns.push(resolve) }) })
  const reader = sourceOf(budget, filterOf(subject('absent')))
  const pieces: number[] = []
  while (reader.source.position < 25_000) {
    t.equal(segments.of(chunk, reader), 'later')
    t.equal(reader.parts, pieces.length, 'nothing is looked at before its turn')
    for (let isMade = false; !isMade;) {
      const turn = await until('it asks for a turn', () => turns.shift())
      turn()
      await until('it is done or asks again', () => turns.length > 0 || segments.of(chunk, reader) !== 'later')
      isMade = turns.length === 0
    }
    const made = segments.of(chunk, reader)
    if (typeof made === 'string') throw new Error(made)
    pieces.push(made.to - made.from)
    reader.source.advance(made)
  }
  t.same(pieces, [10_000, 10_000, 5000])
  segments.clear()
})

t.test('many filters on small chunks wait for their turns when they have done enough in this one', async (t) => {
  const { chunk, budget } = chunkOf(t, 500)
  let asked = 0
  const segments = new Segments(async () => { asked++ })
  const readers = Array.from({ length: 10 }, (_, n) => sourceOf(budget, filterOf(subject(`${n}`))))
  const made = readers.map((reader) => segments.of(chunk, reader))
  t.equal(made.filter((one) => one === 'later').length, 6)
  await until('all are made', () => readers.every((reader) => segments.of(chunk, reader) !== 'later'))
  t.ok(asked >= 6)
  for (const [n, reader] of readers.entries()) t.match(segments.of(chunk, reader), { count: 50, lastEnd: 490 + n + 1 })
  segments.clear()
})
