import fc from 'fast-check'
import t from 'tap'
import {
  Definitions, type Change, type Command, type RedriveRequest, type Subscription
} from '../../../src/push/definitions/definitions.ts'
import { Sealing } from '../../../src/push/definitions/sealing.ts'
import { aDefinition, aKey } from '../../support/definitions.ts'

const DEFINITION = aDefinition()
let ids = 0
const command = (subscription: string, change: Change, ifVersion?: number | null): Command => ({
  commandId: String(ids++),
  key: aKey(subscription),
  change,
  ...(ifVersion !== undefined && { ifVersion })
})

const PUT: Change = { type: 'put', definition: DEFINITION }
const DELETE: Change = { type: 'delete' }
const RESET: Change = { type: 'reset', offsets: { '': 0 } }
const REQUEST: RedriveRequest = { from: 0, to: 9, limit: null, class: null, status: null }

const CHANGES: readonly Change[] = [
  PUT, DELETE, RESET,
  { type: 'pause', cause: 'gone' },
  { type: 'resume' },
  { type: 'resetDone', partition: '', generation: 1 },
  { type: 'skip', partition: '', offset: 5 },
  { type: 'redrive', id: 'r', request: REQUEST, at: 1 },
  { type: 'redriveEnd', id: 'r', state: 'done' }
]

/** Definitions with a subscription `a` of the version 0, and what each further change makes of it. */
function withOne (): { change: (change: Change) => string, now: () => Subscription | undefined } {
  const definitions = new Definitions()
  let offset = 0
  const change = (change: Change): string => definitions.apply(command('a', change), offset++)
  change(PUT)
  return { change, now: () => definitions.get(aKey('a')) }
}

t.test('a command whose precondition does not hold changes nothing', (t) => {
  const definitions = new Definitions()
  t.equal(definitions.apply(command('a', PUT, null), 10), 'applied')
  t.equal(definitions.apply(command('a', PUT, null), 11), 'precondition_failed')
  t.equal(definitions.apply(command('a', PUT, 9), 12), 'precondition_failed')
  t.equal(definitions.get(aKey('a'))?.version, 10)
  t.equal(definitions.apply(command('a', PUT, 10), 13), 'applied')
  t.equal(definitions.get(aKey('a'))?.version, 13)
  t.equal(definitions.apply(command('b', DELETE), 14), 'not_found')
  t.end()
})

t.test('a command that is written twice counts once', (t) => {
  const definitions = new Definitions()
  definitions.apply(command('a', PUT), 0)
  const reset = command('a', RESET)
  t.equal(definitions.apply(reset, 1), 'applied')
  t.equal(definitions.apply(reset, 2), 'known')
  t.match(definitions.get(aKey('a')), { version: 1, generation: 1 })
  t.end()
})

t.test('the generation of a name never goes back, through deletion too', (t) => {
  fc.assert(fc.property(fc.array(fc.constantFrom(PUT, DELETE, RESET), { maxLength: 60 }), (changes) => {
    const definitions = new Definitions()
    let highest = -1
    let wasThere = false
    for (const [offset, change] of changes.entries()) {
      const before = definitions.get(aKey('a'))?.generation
      definitions.apply(command('a', change), offset)
      const generation = definitions.get(aKey('a'))?.generation
      if (generation === undefined) {
        wasThere = false
        continue
      }
      if (change === RESET || !wasThere) t.ok(generation > highest)
      else t.equal(generation, before)
      highest = generation
      wasThere = true
    }
  }))
  t.end()
})

t.test('what a snapshot restores continues as the whole log does', (t) => {
  const types = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    change: fc.constantFrom(...CHANGES),
    isRepeated: fc.boolean()
  })
  fc.assert(fc.property(fc.array(types, { maxLength: 40 }), fc.nat(40), (steps, cut) => {
    const whole = new Definitions()
    let restored = new Definitions()
    let last: Command | undefined
    for (const [offset, { name, change, isRepeated }] of steps.entries()) {
      const next = isRepeated && last !== undefined ? last : command(name, change)
      last = next
      if (offset === cut) {
        const copy = new Definitions()
        copy.restore([...restored.values()], [...restored.commandIds()])
        restored = copy
      }
      t.equal(restored.apply(next, offset), whole.apply(next, offset))
    }
    t.same([...restored.values()], [...whole.values()])
  }), { numRuns: 50 })
  t.end()
})

t.test('a subscription too many is refused, and the others may still change', (t) => {
  const definitions = new Definitions()
  for (let index = 0; index < 1000; index++) definitions.apply(command(`s${index}`, PUT), index)
  t.equal(definitions.apply(command('one more', PUT), 1000), 'too_many')
  t.equal(definitions.apply(command('s1', PUT), 1001), 'applied')
  t.end()
})

t.test('a pause keeps its first cause, and what changes nothing gives no version', (t) => {
  const { change, now } = withOne()
  t.equal(change({ type: 'resume' }), 'applied')
  t.equal(now()?.version, 0)
  t.equal(change({ type: 'pause', cause: 'gone' }), 'applied')
  t.equal(change({ type: 'pause', cause: 'operator' }), 'applied')
  t.match(now(), { version: 2, definition: { paused: 'gone' } })
  t.equal(change({ type: 'resume' }), 'applied')
  t.match(now(), { version: 4, definition: { paused: null } })
  change({ type: 'pause', cause: 'outage' })
  t.equal(change(PUT), 'applied')
  t.match(now(), { version: 6, definition: { paused: null } })
  t.end()
})

t.test('a reset begins a generation, forgets skips, and stays until the owner of each partition has done it', (t) => {
  const { change, now } = withOne()
  change({ type: 'skip', partition: 'p0', offset: 4 })
  t.match(now(), { version: 1, generation: 0, skips: { p0: 4 } })
  change({ type: 'reset', offsets: { p0: 7, p1: 8 } })
  t.match(now(), { version: 2, generation: 1 })
  t.same(now()?.skips, {})
  change({ type: 'reset', offsets: { p1: 3 } })
  t.same(now()?.resets, { p0: 7, p1: 3 })
  t.equal(change({ type: 'resetDone', partition: 'p0', generation: 1 }), 'precondition_failed', 'of the one before')
  t.equal(change({ type: 'resetDone', partition: 'p0', generation: 2 }), 'applied')
  t.same(now()?.resets, { p1: 3 })
  t.equal(change({ type: 'resetDone', partition: 'p0', generation: 2 }), 'applied', 'twice is fine')
  t.match(now(), { version: 3, generation: 2 })
  change(PUT)
  t.same(now()?.resets, { p1: 3 }, 'a definition that is put does not undo what was asked for')
  t.end()
})

t.test('another consumer begins a generation, forgets resets and skips, and starts where it says', (t) => {
  const { change, now } = withOne()
  change({ type: 'put', definition: DEFINITION, starts: { '': 5 } })
  change(PUT)
  t.match(now(), { version: 2, generation: 0, starts: { '': 5 } }, 'a start that is not given stays')
  change(RESET)
  change({ type: 'skip', partition: '', offset: 3 })
  change({ type: 'put', definition: { ...DEFINITION, consumer: 'other' }, starts: { '': 9 } })
  t.match(now(), { version: 5, generation: 2, starts: { '': 9 } })
  t.same([now()?.resets, now()?.skips], [{}, {}])
  t.end()
})

t.test('partitions may have any name', (t) => {
  const { change, now } = withOne()
  for (const partition of ['__proto__', 'constructor']) {
    const offsets = Object.fromEntries([[partition, 7]])
    change({ type: 'reset', offsets })
    change({ type: 'skip', partition, offset: 1 })
    t.same(Object.entries(now()?.resets ?? {}), [[partition, 7]])
    t.same(Object.entries(now()?.skips ?? {}), [[partition, 1]])
    change({ type: 'resetDone', partition, generation: now()?.generation ?? -1 })
    t.same(Object.entries(now()?.resets ?? {}), [])
  }
  t.end()
})

t.test('ten redrives run at once, and the last twenty that ended are remembered', (t) => {
  const { change, now } = withOne()
  const start = (id: string): string => change({ type: 'redrive', id, request: REQUEST, at: 5 })
  const end = (id: string): string => change({ type: 'redriveEnd', id, state: 'done' })
  t.equal(start('long'), 'applied')
  t.equal(start('long'), 'precondition_failed', 'its name is taken')
  for (let index = 0; index < 9; index++) t.equal(start(`r${index}`), 'applied')
  t.equal(start('one more'), 'too_many')
  for (let index = 0; index < 30; index++) {
    t.equal(end(`r${index}`), 'applied')
    t.equal(start(`r${index + 9}`), 'applied')
  }
  t.equal(end('long'), 'applied')
  const ended = now()?.redrives.filter(({ state }) => state !== 'running').map(({ id }) => id)
  t.equal(ended?.length, 20)
  t.same(ended?.slice(-2), ['r29', 'long'], 'one that has run for long is not forgotten when it ends')
  t.equal(end('r0'), 'not_found')
  t.equal(change({ type: 'redriveEnd', id: 'long', state: 'cancelled' }), 'applied')
  t.match(now()?.redrives.find(({ id }) => id === 'long'), { state: 'done', at: 5, request: REQUEST })
  t.equal(now()?.version, 0, 'redrives do not change the version')
  t.equal(change({ type: 'redrive', id: 'x', request: REQUEST, at: 5 }), 'applied')
  change(PUT)
  t.ok(now()?.redrives.some(({ id }) => id === 'x'), 'a definition that is put ends no redrive')
  t.end()
})

t.test('a sealed text opens with its key and in its place, and nowhere else', (t) => {
  const [old, young] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)]
  const sealed = new Sealing([old]).seal('whsec_Zürich', 'orders/a')
  t.notMatch(sealed, /whsec/)
  t.equal(new Sealing([young, old]).open(sealed, 'orders/a'), 'whsec_Zürich')
  t.equal(new Sealing([young]).open(sealed, 'orders/a'), undefined)
  t.equal(new Sealing([old]).open(sealed, 'orders/b'), undefined)
  t.equal(new Sealing([old]).open(`${sealed.slice(0, -2)}AA`, 'orders/a'), undefined)
  for (const text of ['', '.', 'x', `${sealed.slice(0, 9)}`]) t.equal(new Sealing([old]).open(text, ''), undefined)
  t.equal(new Sealing([]).open(new Sealing([]).seal('open', 'x'), 'x'), 'open')
  t.throws(() => new Sealing([Buffer.alloc(16)]), RangeError)
  t.end()
})
