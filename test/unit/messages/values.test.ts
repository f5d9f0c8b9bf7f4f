import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { valueJson } from '../../../src/messages/value-to-json.ts'
import { parseMap, parseValue, VALUE_TYPES } from '../../../src/messages/value-from-json.ts'
import type { AmqpValue } from '../../../src/streams/index.ts'
import { anyValue, spell } from '../amqp/arbitraries.ts'

const parse = (json: unknown) => parseValue(json, '', 1)

/** The rows of the table "AMQP types in JSON". */
function documentedExamples (): Array<{ type: string, example: string }> {
  const page = readFileSync(new URL('../../../docs/messages.md', import.meta.url), 'utf8')
  const section = page.split('## AMQP types in JSON')[1]?.split('\n## ')[0] ?? ''
  return [...section.matchAll(/^\| `(\w+)` \|.*\| `(.+)` \|$/gm)].map(([, type = '', example = '']) => ({
    type,
    example
  }))
}

t.test('the documented table has every type, and every example is what the code reads and writes', async t => {
  const examples = documentedExamples()
  t.same([...new Set(examples.map(({ type }) => type))].sort(), [...VALUE_TYPES].sort())
  for (const { type, example } of examples) {
    const value = parse(JSON.parse(example))
    t.equal(value.type, type, example)
    t.equal(valueJson(value), example)
  }
})

t.test('every value survives the way to JSON and back, type included', async (t) => {
  fc.assert(
    fc.property(
      anyValue,
      (value) => spell(inJsonOrder(parse(JSON.parse(valueJson(value))))) === spell(inJsonOrder(value))
    ),
    { numRuns: 3000 }
  )
  t.pass('nothing is lost')
})

t.test('a value is one line of JSON', async t => {
  fc.assert(fc.property(anyValue, value => !/[\r\n]/.test(valueJson(value))), { numRuns: 300 })
  t.pass('no line breaks')
})

t.test('the type of a whole number follows from its size, exactly at the borders', async t => {
  t.same(parse(2147483647), { type: 'int', value: 2147483647 })
  t.same(parse(2147483648), { type: 'long', value: 2147483648n })
  t.same(parse(-2147483648), { type: 'int', value: -2147483648 })
  t.same(parse(-2147483649), { type: 'long', value: -2147483649n })
  t.same(parse(Number.MAX_SAFE_INTEGER), { type: 'long', value: 9007199254740991n })
  t.equal(valueJson({ type: 'long', value: 2147483648n }), '2147483648')
  t.equal(valueJson({ type: 'long', value: 2147483647n }), '{"$type":"long","value":"2147483647"}')
  t.equal(valueJson({ type: 'long', value: -2147483648n }), '{"$type":"long","value":"-2147483648"}')
  t.equal(valueJson({ type: 'long', value: -2147483649n }), '-2147483649')
  t.equal(valueJson({ type: 'long', value: 9007199254740992n }), '{"$type":"long","value":"9007199254740992"}')
  t.equal(valueJson({ type: 'double', value: 1e300 }), '{"$type":"double","value":1e+300}')
})

t.test('what stands for no value is refused where it is', async t => {
  const tagged = ($type: unknown, value?: unknown) => value === undefined ? { $type } : { $type, value }
  const cases: Array<[unknown, string, string]> = [
    [2 ** 53, '', 'a whole number that JSON rounds'],
    [1e300, '', 'a large whole number'],
    [{ a: [1, '\ud800'] }, '/a/1', 'half a surrogate pair'],
    [{ '\udc00': 1 }, '/\udc00', 'half a surrogate pair as a key'],
    [{ 'a/b~c': tagged('nothing', 1) }, '/a~1b~0c/$type', 'an unknown type'],
    [tagged('toString', 1), '/$type', 'a name that every object has'],
    [tagged('described', 1), '', 'no descriptor'],
    [tagged('int'), '', 'no value'],
    [{ ...tagged('int', 1), other: 1 }, '/other', 'a field too many'],
    [{ ...tagged('int', 1), descriptor: 1 }, '/descriptor', 'a descriptor of nothing'],
    [tagged('ubyte', 256), '/value', 'too large'],
    [tagged('ubyte', -1), '/value', 'negative'],
    [tagged('byte', 128), '/value', 'too large'],
    [tagged('uint', 1.5), '/value', 'a fraction'],
    [tagged('ulong', '18446744073709551616'), '/value', 'too large'],
    [tagged('ulong', '1e3'), '/value', 'no digits'],
    [tagged('ulong', '007'), '/value', 'leading zeros'],
    [tagged('long', '-9223372036854775809'), '/value', 'too small'],
    [tagged('long', 2 ** 53), '/value', 'rounded'],
    [tagged('float', 1e39), '/value', 'too large'],
    [tagged('double', '1.5'), '/value', 'a string'],
    [tagged('binary', 'AAE'), '/value', 'no padding'],
    [tagged('binary', 'AA-_'), '/value', 'the URL alphabet'],
    [tagged('binary', 'A Ł='), '/value', 'other characters'],
    [tagged('decimal32', 'AAECAwQ='), '/value', 'five bytes'],
    [tagged('uuid', 'f81d4fae-7dec-11d0-a765'), '/value', 'half a uuid'],
    [tagged('char', 'ab'), '/value', 'two characters'],
    [tagged('char', 0x110000), '/value', 'no code point'],
    [tagged('timestamp', '2025-02-30T00:00:00Z'), '/value', 'no day'],
    [tagged('timestamp', '2025-01-31T12:00:00'), '/value', 'no offset from UTC'],
    [tagged('timestamp', 1700000000000), '/value', 'a number'],
    [tagged('timestamp', '9223372036854775808'), '/value', 'beyond 64 bits'],
    [tagged('boolean', 1), '/value', 'a number'],
    [tagged('null', 0), '/value', 'a number'],
    [tagged('array', [1, 'a']), '/value', 'two types'],
    [tagged('array', [1, 4294967296]), '/value', 'int and long'],
    [tagged('array', new Array(257).fill(null)), '/value', 'more nulls than can be read'],
    [tagged('map', { a: 1 }), '/value', 'no pairs'],
    [tagged('map', [[1]]), '/value/0', 'half a pair'],
    [
      tagged('map', [
        ['a', 1],
        ['a', 2]
      ]),
      '/value/1/0',
      'a key twice'
    ],
    [
      tagged('map', [
        [{ $type: 'ulong', value: 1 }, 1],
        [{ $type: 'ulong', value: '1' }, 2]
      ]),
      '/value/1/0',
      'a key twice, in two spellings'
    ]
  ]
  for (const [json, pointer, what] of cases) {
    t.throws(() => parse(json), { name: 'MessageFormatError', pointer }, `${what}: ${JSON.stringify(json)}`)
  }
})

t.test('other spellings of the same value are taken', async t => {
  t.same(parse({ $type: 'ulong', value: 5 }), { type: 'ulong', value: 5n })
  t.same(parse({ $type: 'int', value: '5' }), { type: 'int', value: 5 })
  t.same(parse({ $type: 'string', value: 'a' }), { type: 'string', value: 'a' })
  t.same(parse({ $type: 'list', value: [1] }), { type: 'list', value: [{ type: 'int', value: 1 }] })
  t.same(parse({ $type: 'uuid', value: 'F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6' }), {
    type: 'uuid',
    value: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
  })
  t.same(parse({ $type: 'timestamp', value: '2025-01-31T13:00:00.123456+01:00' }), {
    type: 'timestamp',
    value: 1738324800124n
  })
  t.same(parse({ $type: 'timestamp', value: '253402300800000' }), { type: 'timestamp', value: 253402300800000n })
  t.same(parse({ $type: 'char', value: 0xd800 }), { type: 'char', value: 0xd800 })
})

t.test('as deep as the decoder reads may be written, and no deeper', async t => {
  const nested = (depth: number) => JSON.parse('['.repeat(depth) + ']'.repeat(depth))
  t.equal(parse(nested(64)).type, 'list')
  t.throws(() => parse(nested(65)), { name: 'MessageFormatError' })
  t.throws(() => parse(nested(100_000)), { name: 'MessageFormatError' })
})

t.test('__proto__ is a key like any other', async t => {
  const text = '{"__proto__":{"polluted":1},"constructor":2}'
  const map = parseMap(JSON.parse(text), 'string', '', 1)
  t.same(map.map(([key]) => key), [{ type: 'string', value: '__proto__' }, { type: 'string', value: 'constructor' }])
  t.equal(valueJson({ type: 'map', value: map }), text)
  t.notOk('polluted' in {})
})

/** JSON objects have no order, and JavaScript puts keys like numbers first. */
function inJsonOrder (value: AmqpValue): AmqpValue {
  switch (value.type) {
    case 'list': case 'array': return { ...value, value: value.value.map(inJsonOrder) }
    case 'described': return { ...value, descriptor: inJsonOrder(value.descriptor), value: inJsonOrder(value.value) }
    case 'map': {
      const entries = value.value.map(([key, element]) => [inJsonOrder(key), inJsonOrder(element)] as const)
      return { ...value, value: entries.sort((a, b) => spell(a[0]) < spell(b[0]) ? -1 : 1) }
    }
    default: return value
  }
}
