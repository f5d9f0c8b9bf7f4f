import fc from 'fast-check'
import t from 'tap'
import type { Definition } from '../../../src/push/definitions/definition.ts'
import { Definitions, type Command, type SubscriptionKey } from '../../../src/push/definitions/definitions.ts'
import { Sealing } from '../../../src/push/definitions/sealing.ts'

const DEFINITION: Definition = {
  url: 'https://example.com/',
  start: 'next',
  ordering: 'stream',
  orderingKey: null,
  concurrency: 1,
  batch: { maxMessages: 1, maxBytes: 262_144, maxWaitMs: 0 },
  format: 'message',
  filter: { filterValues: [], matchUnfiltered: false },
  timeoutMs: 15_000,
  retry: {
    initialDelayMs: 1000,
    maxDelayMs: 600_000,
    factor: 2,
    maxAttempts: 10,
    messageAttempts: 3,
    maxOutageSeconds: 259_200
  },
  onFailure: 'errorStream',
  errorStream: 'orders_errors',
  maxConsecutiveFailures: 20,
  commit: { everyMs: 1000, everyMessages: 1000 },
  headers: {},
  secrets: [],
  consumer: 'push.a',
  paused: null
}

const keyOf = (subscription: string): SubscriptionKey => ({ source: 'stream', stream: 'orders', subscription })
let ids = 0
const command = (subscription: string, type: 'put' | 'delete' | 'generation', ifVersion?: number | null): Command => ({
  commandId: String(ids++),
  key: keyOf(subscription),
  change: type === 'put' ? { type, definition: DEFINITION } : { type },
  ...(ifVersion !== undefined && { ifVersion })
})

t.test('a command whose precondition does not hold changes nothing', (t) => {
  const definitions = new Definitions()
  t.equal(definitions.apply(command('a', 'put', null), 10), 'applied')
  t.equal(definitions.apply(command('a', 'put', null), 11), 'precondition_failed')
  t.equal(definitions.apply(command('a', 'put', 9), 12), 'precondition_failed')
  t.equal(definitions.get(keyOf('a'))?.version, 10)
  t.equal(definitions.apply(command('a', 'put', 10), 13), 'applied')
  t.equal(definitions.get(keyOf('a'))?.version, 13)
  t.equal(definitions.apply(command('b', 'delete'), 14), 'not_found')
  t.end()
})

t.test('a command that is written twice counts once', (t) => {
  const definitions = new Definitions()
  definitions.apply(command('a', 'put'), 0)
  const reset = command('a', 'generation')
  t.equal(definitions.apply(reset, 1), 'applied')
  t.equal(definitions.apply(reset, 2), 'known')
  t.match(definitions.get(keyOf('a')), { version: 1, generation: 1 })
  t.end()
})

t.test('the generation of a name never goes back, through deletion too', (t) => {
  fc.assert(fc.property(fc.array(fc.constantFrom('put', 'delete', 'generation'), { maxLength: 60 }), (types) => {
    const definitions = new Definitions()
    let highest = -1
    let wasThere = false
    for (const [offset, type] of types.entries()) {
      const before = definitions.get(keyOf('a'))?.generation
      definitions.apply(command('a', type), offset)
      const generation = definitions.get(keyOf('a'))?.generation
      if (generation === undefined) {
        wasThere = false
        continue
      }
      if (type === 'generation' || !wasThere) t.ok(generation > highest)
      else t.equal(generation, before)
      highest = generation
      wasThere = true
    }
  }))
  t.end()
})

t.test('what a snapshot restores goes on as the whole log does', (t) => {
  const types = fc.record({
    name: fc.constantFrom('a', 'b', 'c'),
    type: fc.constantFrom('put', 'delete', 'generation'),
    isRepeated: fc.boolean()
  })
  fc.assert(fc.property(fc.array(types, { maxLength: 40 }), fc.nat(40), (steps, cut) => {
    const whole = new Definitions()
    let restored = new Definitions()
    let last: Command | undefined
    for (const [offset, { name, type, isRepeated }] of steps.entries()) {
      const next = isRepeated && last !== undefined ? last : command(name, type)
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
  for (let index = 0; index < 1000; index++) definitions.apply(command(`s${index}`, 'put'), index)
  t.equal(definitions.apply(command('one more', 'put'), 1000), 'too_many')
  t.equal(definitions.apply(command('s1', 'put'), 1001), 'applied')
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
