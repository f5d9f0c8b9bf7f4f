import fc from 'fast-check'
import t from 'tap'
import { Wildcard } from '../../../src/access/wildcard.ts'

const matches = (pattern: string, text: string): boolean => new Wildcard(pattern).matches(text)

// The pieces of a pattern, with the regular expression that each of them means.
const PIECES = [
  ['a', 'a'], ['b', 'b'], ['.', '\\.'], ['+', '\\+'], ['%2A', '\\*'], ['%25', '%'], ['%2F', '/'], ['é', 'é'],
  ['%C3%A9', 'é'], ['*', '[^]*'], ['*', '[^]*']
] as const

t.test('a pattern matches what the regular expression matches that it means', async (t) => {
  const pieces = fc.array(fc.constantFrom(...PIECES), { maxLength: 8 })
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '+', '*', '%', '/', 'é', '\n'), maxLength: 12 })
  const seen = new Set<boolean>()
  fc.assert(
    fc.property(pieces, text, (pieces, text) => {
      const naive = new RegExp(`^${pieces.map(([, expression]) => expression).join('')}$`, 'u')
      const isMatch = matches(pieces.map(([piece]) => piece).join(''), text)
      seen.add(isMatch)
      t.equal(isMatch, naive.test(text))
    }),
    { numRuns: 5000 }
  )
  t.same([...seen].sort(), [false, true], 'both happen')
})

t.test('a text that a pattern is made of by filling in its asterisks matches', async (t) => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 4 })
  fc.assert(
    fc.property(fc.array(fc.tuple(letters, letters), { maxLength: 6 }), letters, (parts, last) => {
      const pattern = parts.map(([fixed]) => `${fixed}*`).join('') + last
      t.equal(matches(pattern, parts.map(([fixed, free]) => fixed + free).join('') + last), true)
    })
  )
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
