import fc from 'fast-check'
import t from 'tap'
import { exactText, parseExactly } from '../../../src/text/exact-json.ts'

const through = (text: string): string => exactText(parseExactly(text).exact)

t.test('numbers that JavaScript would change stay as they were written', async (t) => {
  for (const number of [
    '9007199254740993', '-9223372036854775808', '18446744073709551615', '0.12345678901234567890', '1e400', '-1E-400',
    '1e5', '123456789012345678901234567890'
  ]) {
    t.equal(through(number), number)
    t.equal(
      through(`{"a":[${number},{"b":${number}}],"c":"${number}"}`),
      `{"a":[${number},{"b":${number}}],"c":"${number}"}`
    )
  }
})

t.test('what looks like a number in a text is none', async (t) => {
  for (const text of [
    '"9007199254740993"', '"\\"9007199254740993"', '"\\\\"', '["\\\\\\"",12345678901234567890,"1e9\\\\"]', '{"1e400":1}'
  ]) t.equal(through(text), text)
})

t.test('a caller sees the numbers of JavaScript', async (t) => {
  t.same(parseExactly('[9007199254740993,1]').value, [9007199254740992, 1])
  t.throws(() => parseExactly('[9007199254740993'), { name: 'TextFault' })
  t.throws(() => parseExactly('{"__proto__":9007199254740993}'), { name: 'TextFault' })
})

t.test('any JSON comes through, with any numbers in it', async () => {
  // A key "__proto__" is refused, and fast-check knows that key.
  const accepted = fc.json().filter((json) => !json.includes('"__proto__":'))
  fc.assert(fc.property(accepted, fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (json, number) => {
    const once = through(json)
    return through(once) === once && through(`[${json},${number}]`) === `[${once},${number}]`
  }), { numRuns: 500 })
})
