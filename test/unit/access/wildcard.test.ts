import fc from 'fast-check'
import t from 'tap'
import { Wildcard } from '../../../src/access/wildcard.ts'

const matches = (pattern: string, text: string): boolean => new Wildcard(pattern).matches(text)

// The pieces of a text between asterisks, with the regular expression that each of them means.
const PIECES = [
  ['a', 'a'], ['b', 'b'], ['.', '\\.'], ['+', ' '], ['%2B', '\\+'], ['%2A', '\\*'], ['%25', '%'], ['%2F', '/'],
  ['é', 'é'], ['%C3%A9', 'é']
] as const

// What is found once is kept: a group within a lookahead is not tried again.
function expressionOf (parts: readonly string[]): RegExp {
  const [first = '', ...rest] = parts
  let groups = 0
  const found = rest.map((part, index) => {
    if (part !== '') return `(?=([^]*?${part}))\\${++groups}`
    return index === rest.length - 1 ? '[^]*' : '(?=[^])'
  })
  return new RegExp(`^${first}${found.join('')}$`, 'u')
}

t.test('each text after an asterisk is looked for at its first place', async (t) => {
  const part = fc.array(fc.constantFrom(...PIECES), { maxLength: 3 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', ' ', '+', '*', '%', '/', 'é', '\n'), maxLength: 12 })
  const seen = new Set<boolean>()
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 5 }), text, (parts, text) => {
      const pattern = parts.map((pieces) => pieces.map(([piece]) => piece).join('')).join('*')
      const isMatch = matches(pattern, text)
      seen.add(isMatch)
      const naive = expressionOf(parts.map((pieces) => pieces.map(([, expression]) => expression).join('')))
      t.equal(isMatch, naive.test(text), `${pattern} and ${JSON.stringify(text)}`)
    }),
    { numRuns: 5000 }
  )
  t.same([...seen].sort(), [false, true], 'both happen')
})

t.test("a pattern is what it is to RabbitMQ's plugin", async (t) => {
  const table: ReadonlyArray<[string, string, boolean]> = [
    ['*.out', 'a.out', true], ['*.out', 'a.out.out', false], ['*.out*', 'a.out.out', true], ['*foo', 'foofoo', false],
    ['a*', 'a', true], ['a**', 'a', false], ['a**', 'ab', true], ['a**b', 'ab', true], ['*a*a', 'xaba', true],
    ['a+b', 'a b', true], ['a+b', 'a+b', false], ['a%2Bb', 'a+b', true], ['*', '', true],
    ['', '', true], ['', 'a', false]
  ]
  for (const [pattern, text, isMatch] of table) t.equal(matches(pattern, text), isMatch, `${pattern} and ${text}`)
})

t.test('the parts around an asterisk do not overlap in the text', async (t) => {
  t.equal(matches('ab*ba', 'aba'), false)
  t.equal(matches('ab*ba', 'abba'), true)
  t.equal(matches('a*b*b', 'ab'), false)
  t.equal(matches('*a*a*', 'a'), false)
})

t.test('an encoded asterisk is an asterisk and stands for nothing else', async (t) => {
  t.equal(matches('a%2Ab', 'a*b'), true)
  t.equal(matches('a%2ab', 'a*b'), true)
  t.equal(matches('a%2Ab', 'axb'), false)
})

t.test('a % that begins no character is refused', async (t) => {
  for (const pattern of ['%', 'a%2', '%zz', '%FF', '*%*']) t.throws(() => new Wildcard(pattern), RangeError)
})

t.test('a hostile pattern takes time in proportion to the text', async (t) => {
  const hostile = new Wildcard(`${'a*'.repeat(2000)}ab*b`)
  const text = 'a'.repeat(1_000_000)
  const startMs = performance.now()
  t.equal(hostile.matches(text), false)
  t.equal(hostile.matches(`${text}c`), false)
  t.equal(hostile.matches(`${text}bb`), true)
  // A matcher that tries every way to fill in the asterisks would not end in the life of the universe.
  t.ok(performance.now() - startMs < 1000)
})
