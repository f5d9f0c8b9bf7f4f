import fc from 'fast-check'
import t from 'tap'
import { isSurelyJson } from '../../../src/text/json-check.ts'

const check = (text: string): boolean => isSurelyJson(Buffer.from(text), 0, Buffer.byteLength(text))

t.test('what is surely JSON is JSON', async () => {
  // Pieces of JSON in any order: most of it is wrong, and much of it nearly right.
  const piece = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '"a"',
    '"\\n"',
    '\\',
    'true',
    'false',
    'null',
    'tru',
    '0',
    '-',
    '1.5',
    '01',
    '1e5',
    ' ',
    '\n',
    'é',
    '\u0000'
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const text = pieces.join('')
      if (check(text)) JSON.parse(text)
    }),
    { numRuns: 200_000 }
  )
})

t.test('damaged JSON is not surely JSON', async () => {
  fc.assert(fc.property(fc.json({ noUnicodeString: false }), fc.nat(), fc.nat(255), (text, at, byte) => {
    const bytes = Buffer.from(text)
    bytes[at % bytes.length] = byte
    if (isSurelyJson(bytes, 0, bytes.length)) JSON.parse(bytes.toString())
  }), { numRuns: 20_000 })
})

t.test('compact JSON without rarities is', async (t) => {
  const isRare = /\\u|[eE][+-]?\d/
  fc.assert(fc.property(fc.jsonValue({ maxDepth: 20 }), (value) => {
    const text = JSON.stringify(value)
    return isRare.test(text) || check(text)
  }))
  t.equal(check('{"a":[],"b":{},"c":[1,-0.5,{"d":null}],"ü":"\\"\\\\"}'), true)
})

t.test('it looks at nothing beyond its end', async (t) => {
  for (const text of ['[1,2]', '{"a":"b"}', 'true', '12', '"a\\n"', '[[],{}]']) {
    for (let end = 0; end < text.length; end++) {
      if (isSurelyJson(Buffer.from(text), 0, end)) {
        t.doesNotThrow(
          () => {
            JSON.parse(text.slice(0, end))
          },
          text.slice(0, end)
        )
      }
    }
  }
})

t.test('depth beyond what it keeps track of is left to the parser', async (t) => {
  t.equal(check('['.repeat(31) + ']'.repeat(31)), true)
  t.equal(check('['.repeat(2000) + ']'.repeat(2000)), false)
  t.equal(check('{"a":[{"b":['.repeat(12) + '1' + ']}]}'.repeat(12)), false)
})
