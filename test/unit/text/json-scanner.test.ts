import fc from 'fast-check'
import t from 'tap'
import { JsonFault } from '../../../src/text/json-fault.ts'
import { findRounded, isRounded } from '../../../src/text/json-numbers.ts'
import { JsonScanner, MAX_JSON_DEPTH } from '../../../src/text/json-scanner.ts'
import { placeOf, PlaceFinder } from '../../../src/text/text-place.ts'
import { refuseBadUtf8 } from '../../../src/text/utf8.ts'

interface Scan { accepts: boolean, at: number, values: number, reason: string }

/** Scans a whole text, in steps of so many bytes. */
function scan (bytes: Buffer, step = Infinity): Scan {
  const scanner = new JsonScanner(bytes)
  try {
    while (!scanner.passValue(scanner.at + step));
    if (scanner.next() >= 0) throw scanner.unexpected('the end')
    return { accepts: true, at: scanner.at, values: scanner.values, reason: '' }
  } catch (error) {
    if (!(error instanceof JsonFault)) throw error
    return { accepts: false, at: error.at, values: 0, reason: error.message }
  }
}

function parses (bytes: Buffer): boolean {
  try {
    JSON.parse(bytes.toString())
    return true
  } catch {
    return false
  }
}

const piece = fc.constantFrom(
  '{', '}', '[', ']', ',', ':', '"', '"a"', '"\\n"', '\\', '\\u00e9', '\\u00g0', 'true', 'false', 'null', 'tru',
  'nullx',
  '0', '-', '1.5', '01', '1e5', '1E+', '.5', '-0', ' ', '\n', '\t', '\r', '\v', 'é', '\u0000', '\u007f',
  '\u2028', '\ufeff', "'", 'NaN'
)
const damaged = fc.tuple(fc.json(), fc.nat(), fc.nat(127)).map(([text, at, byte]) => {
  const bytes = Buffer.from(text)
  const place = at % bytes.length
  if ((bytes[place] ?? 0) < 0x80) bytes[place] = byte
  return bytes
})
const texts = fc.oneof(
  fc.json().map((text) => Buffer.from(text)),
  fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.from(pieces.join(''))),
  damaged
)

t.test('what JSON.parse accepts is accepted, and nothing else', async (t) => {
  fc.assert(fc.property(texts, (bytes) => scan(bytes).accepts === parses(bytes)), { numRuns: 30_000 })
  t.pass()
})

t.test('a scan in steps of any size finds the same', async (t) => {
  fc.assert(fc.property(texts, fc.integer({ min: 1, max: 9 }), (bytes, step) => {
    t.same(scan(bytes, step), scan(bytes))
  }), { numRuns: 3000 })
})

t.test('values are counted, and numbers that JSON.parse may change are noticed', async (t) => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    let count = 0
    JSON.parse(JSON.stringify(value), (_key, inner: unknown) => {
      count++
      return inner
    })
    t.equal(scan(Buffer.from(JSON.stringify(value))).values, count)
  }), { numRuns: 500 })
  for (const [text, isDoubtful] of [
    ['[1,2.5,"1e5"]', false], ['[1e5]', true], ['9007199254740993', true], ['[0.99999999999999999]', true]
  ] as const) {
    const scanner = new JsonScanner(Buffer.from(text))
    scanner.passValue(Infinity)
    t.equal(scanner.hasDoubtfulNumber, isDoubtful, text)
  }
})

t.test('a text nests at most so many levels', async (t) => {
  const deep = (levels: number): Buffer => Buffer.from('[{"a":'.repeat(levels / 2) + '1' + '}]'.repeat(levels / 2))
  t.ok(scan(deep(MAX_JSON_DEPTH)).accepts)
  t.match(scan(deep(MAX_JSON_DEPTH + 2)), { accepts: false, reason: /nest deeper than 1000 levels/ })
  t.match(scan(Buffer.alloc(16 * 1024 * 1024, '[')), { accepts: false, at: MAX_JSON_DEPTH })
})

t.test('a fault says what is wrong and where', async (t) => {
  for (const [text, at, reason] of [
    ['{"a":NaN}', 5, /NaN is not JSON; write null/],
    ['[-Infinity]', 1, /-Infinity is not JSON/],
    ['[True]', 1, /True is not JSON; write true/],
    ["{'a':1}", 1, /double quotes/],
    ['{a:1}', 1, /a is not JSON/],
    ['[1,2,]', 5, /a comma before \] is not allowed/],
    ['{"a":1,}', 7, /a comma before } is not allowed/],
    ['[1 2]', 3, /2 where a comma or \] is expected/],
    ['{"a" 1}', 5, /1 where a colon is expected/],
    ['[1', 2, /it ends where a comma or \]/],
    ['"ab', 3, /it ends in a string/],
    ['"a\nb"', 2, /control character \(U\+000A\)/],
    ['"\\x"', 1, /escape/],
    ['"\\u12"', 1, /four hexadecimal digits/],
    ['[01]', 1, /begin with 0/],
    ['[1.]', 3, /a digit is expected/],
    ['1 \ufeff', 2, /byte order mark/],
    ['// x', 0, /\/ where a value/]
  ] as const) t.match(scan(Buffer.from(text)), { accepts: false, at, reason }, text)
})

t.test('to find a number that is rounded takes time in proportion to the text', async (t) => {
  const zeros = '0'.repeat(500_000)
  const numbers = [`1.${zeros}1`, `1${zeros}.5`, `1e-${zeros}1`, `0.${'1'.repeat(500_000)}e5`]
  const texts = [...numbers, `["a"${' '.repeat(2_000_000)},1.0]`, `["a"${',"a"'.repeat(300_000)},1.0]`]
  for (const text of texts) {
    const startMs = performance.now()
    findRounded(text)
    // Quadratic, each of them took minutes or seconds.
    t.ok(performance.now() - startMs < 500, text.slice(0, 10))
  }
})

t.test('a place counts lines and characters from 1', async (t) => {
  const bytes = Buffer.from('[\n  "é€😀", x')
  t.same(placeOf(bytes, bytes.indexOf('x')), { line: 2, column: 10 })
  t.same(placeOf(bytes, 0), { line: 1, column: 1 })
  const finder = new PlaceFinder(bytes, bytes.indexOf('x'))
  let steps = 1
  while (!finder.advance(1)) steps++
  t.same([finder.place, steps], [{ line: 2, column: 10 }, bytes.indexOf('x')])
})

t.test('bytes that are not UTF-8 are found', async (t) => {
  const long = 'é'.repeat(100_000)
  for (const [bad, offset] of [[[0xff], 0], [[0xed, 0xa0, 0x80], 0], [[0xc3], 0], [[0xe2, 0x82], 0]] as const) {
    for (const [before, after] of [['', ''], ['é', 'é'], [long, 'x'], [`x${long}`, long]] as const) {
      const start = Buffer.from(before)
      const bytes = Buffer.concat([start, Buffer.from(bad), Buffer.from(after)])
      t.throws(() => { refuseBadUtf8(bytes) }, { name: 'TextFault', at: start.length + offset })
    }
  }
  t.doesNotThrow(() => { refuseBadUtf8(Buffer.from(long)) })
})

t.test('a whole number is exact or it is found', async (t) => {
  for (const text of [
    '0.99999999999999999999', '1e-400', '9007199254740990.6', '9007199254740991.4', '-1.00000000000000000001'
  ]) {
    t.ok(isRounded(text), text)
  }
  for (const text of ['0', '-0', '0e5', '1.0', '1e2', '120e-1', '9007199254740992', '1.5', '1e400', '1e300', '0.1']) {
    t.notOk(isRounded(text), text)
  }
  t.equal(findRounded('{"a":"1e-400","b\\"":[1,{"c":2},[1e-400]]}'), '/b"/2/0')
  t.equal(findRounded('{"a":{"b":1},"c":[]}'), undefined)
})
