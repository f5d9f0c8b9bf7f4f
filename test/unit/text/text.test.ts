import fc from 'fast-check'
import t from 'tap'
import { negotiate } from '../../../src/http/accept.ts'
import { decodeUtf8, parseJson, toJsonText } from '../../../src/text/json.ts'
import { parseDecimal, parsePosition } from '../../../src/api/position.ts'
import { parseTimestamp } from '../../../src/api/timestamp.ts'

t.test('the best type that a client accepts is chosen', async (t) => {
  const cases: Array<[string | undefined, string | undefined]> = [
    [undefined, 'a/j'], ['', 'a/j'], ['*/*', 'a/j'], ['a/*', 'a/j'], ['a/n', 'a/n'], ['A/N', 'a/n'],
    ['a/n, a/j', 'a/j'], ['a/j;q=0.5, a/n', 'a/n'], ['a/j;q=0, */*', 'a/n'], ['a/j; q=0.1, */*; q=0.2', 'a/n'],
    ['text/html, */*;q=0.1', 'a/j'], ['text/html', undefined], ['a/j;q=0', undefined], ['a/j;q=nonsense', undefined]
  ]
  for (const [accept, expected] of cases) t.equal(negotiate(accept, ['a/j', 'a/n']), expected, String(accept))
})

t.test('a time to read from is any RFC 3339 text', async (t) => {
  const cases: Array<[string, string]> = [
    ['2026-01-31T12:00:00.123Z', '2026-01-31T12:00:00.123Z'],
    ['2026-01-31t12:00:00z', '2026-01-31T12:00:00.000Z'],
    ['2024-02-29T00:00:00.5Z', '2024-02-29T00:00:00.500Z'],
    ['2026-01-31 12:00:00+00:00', '2026-01-31T12:00:00.000Z'],
    ['2026-01-31T12:00Z', '2026-01-31T12:00:00.000Z'],
    ['2026-11-27T05:18:55.408005637Z', '2026-11-27T05:18:55.409Z'],
    ['2026-11-27T05:18:55.408000000Z', '2026-11-27T05:18:55.408Z'],
    ['2026-12-31T23:59:59.9990000000000001Z', '2027-01-01T00:00:00.000Z'],
    ['2026-01-31T12:00:00+01:00', '2026-01-31T11:00:00.000Z'],
    ['2026-01-31T23:30:00-05:30', '2026-02-01T05:00:00.000Z'],
    ['2026-01-31T12:00:00-00:00', '2026-01-31T12:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
    ['2017-01-01T00:59:60.25+01:00', '2017-01-01T00:00:00.250Z'],
    ['1969-12-31T23:59:59Z', '1970-01-01T00:00:00.000Z'],
    ['0001-01-01T00:00:00Z', '1970-01-01T00:00:00.000Z'],
    ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z']
  ]
  for (const [text, expected] of cases) {
    const ms = parseTimestamp(text)
    t.equal(ms === undefined ? undefined : new Date(ms).toISOString(), expected, text)
  }
})

t.test('digits alone, and what does not exist, are not a time', async (t) => {
  for (const text of [
    '', '2026', '2026-01-31', '2026-01-31T12:00:00', '2026-01-31T12:00:00 01:00', '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z', '2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z', '2026-01-00T00:00:00Z',
    '2026-01-31T24:00:00Z', '2026-01-31T12:60:00Z', '2026-01-31T12:00:60Z', '2026-01-31T12:00:61Z',
    '2026-01-31T12:00:00+24:00', '2026-01-31T12:00:00+01:60', '2026-01-31T12:00:00+0100', '2026-01-31T12:00:00.Z',
    '2026-01-31T12:00:00,5Z', ' 2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z\n', '1767225600', '1767225600000',
    '-1', '٢٠٢٦-01-31T12:00:00Z'
  ]) {
    t.equal(parseTimestamp(text), undefined, text)
  }
})

t.test('a time means what Date reads, wherever Date reads it', async (t) => {
  const dates = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true })
  fc.assert(fc.property(dates, (date) => parseTimestamp(date.toISOString()) === date.getTime()))
  t.pass('equal')
})

t.test('an integer is plain, decimal and exact', async (t) => {
  for (const [text, expected] of [
    ['0', 0],
    ['10', 10],
    ['9007199254740991', 2 ** 53 - 1]
  ] as const) t.equal(parseDecimal(text), expected)
  for (const text of [
    '', ' 5', '5 ', '+5', '-1', '05', '1e3', '1.0', '0x10', '9007199254740992', '99999999999999999999', '５', 'NaN',
    'Infinity'
  ]) t.equal(parseDecimal(text), undefined, text)
})

t.test('a position is a word or an offset', async (t) => {
  t.same(['first', 'last', 'next', '7'].map(parsePosition), [
    { type: 'first' },
    { type: 'last' },
    { type: 'next' },
    { type: 'offset', offset: 7 }
  ])
  t.same(['', 'First', 'middle', '-1'].map(parsePosition), [undefined, undefined, undefined, undefined])
})

t.test('JSON with a __proto__ key is refused however it is spelt; text that only mentions it is not', async (t) => {
  const refused = ['{"__proto__":1}', '[{"a":{"__proto__":{}}}]', '{"\\u005f_proto__":1}', '{"__pr\\u006Fto__":1}']
  for (const text of refused) {
    t.throws(() => parseJson(text), { name: 'TextFault' }, text)
  }
  for (const text of ['"__proto__"', '{"a":"__proto__"}', '{"x__proto__":1}', '{"a":"\\u005f"}']) {
    t.same(parseJson(text), JSON.parse(text), text)
  }
})

t.test('what is no JSON or no UTF-8 is refused', async (t) => {
  for (const text of ['', '{', "{'a':1}", 'undefined', '{"a":1}x']) {
    t.throws(() => parseJson(text), { name: 'TextFault' }, text)
  }
  t.throws(() => decodeUtf8(Buffer.from([0x22, 0xff, 0x22])), { name: 'TextFault' })
  t.throws(() => decodeUtf8(Buffer.from([0xed, 0xa0, 0x80])), { name: 'TextFault' }, 'a lone surrogate')
  t.equal(decodeUtf8(Buffer.from('\ufeff"é€😀"')), '"é€😀"', 'a byte order mark is dropped')
})

t.test('nesting as deep as a body allows does not end the process', async (t) => {
  const depth = 200_000
  t.doesNotThrow(() => parseJson('['.repeat(depth) + ']'.repeat(depth)))
  t.throws(() => parseJson('{"__proto__":'.repeat(depth) + '1' + '}'.repeat(depth)), { name: 'TextFault' })
})

t.test('JSON text is what JSON.stringify writes, and integers of any size', async (t) => {
  fc.assert(fc.property(fc.jsonValue(), (value) => toJsonText(value) === JSON.stringify(value)))
  t.equal(toJsonText({ a: 2n ** 64n - 1n, b: [1n, null], c: undefined }), '{"a":"18446744073709551615","b":[1,null]}')
})
