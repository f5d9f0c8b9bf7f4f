import t from 'tap'
import { isTracestate, parseTraceparent } from '../../../src/text/traceparent.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const VALID = `00-${TRACE}-${SPAN}-01`

t.test('a traceparent of version 00 is read and kept as it is', async (t) => {
  t.same(parseTraceparent(VALID), { traceId: TRACE, spanId: SPAN, isSampled: true, text: VALID })
  for (const [flags, isSampled] of [['00', false], ['02', false], ['03', true], ['ff', true]] as const) {
    const text = `00-${TRACE}-${SPAN}-${flags}`
    t.match(parseTraceparent(text), { isSampled, text })
  }
})

t.test('a traceparent of a later version is read as far as version 00 goes', async (t) => {
  for (const text of [`01-${TRACE}-${SPAN}-01`, `cc-${TRACE}-${SPAN}-09-what-the-future-brings`]) {
    t.match(parseTraceparent(text), { traceId: TRACE, spanId: SPAN, text: VALID }, text)
  }
  t.match(parseTraceparent(`7f-${TRACE}-${SPAN}-fe`), { isSampled: false, text: `00-${TRACE}-${SPAN}-00` })
})

t.test('what is not a traceparent is ignored', async (t) => {
  const wrong = [
    undefined, '', '00', `${VALID}-`, `${VALID}-more`, `${VALID} `, ` ${VALID}`, `${VALID}0`, `${VALID},${VALID}`,
    `${VALID}, ${VALID}`, VALID.toUpperCase(), `ff-${TRACE}-${SPAN}-01`, `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`, `00-${TRACE.slice(1)}-${SPAN}-01`, `00-${TRACE}-${SPAN}0-01`,
    `00-${TRACE}-${SPAN}-0`, `00-${TRACE}-${SPAN}-0g`, `00_${TRACE}_${SPAN}_01`, `0x-${TRACE}-${SPAN}-01`,
    `01-${TRACE}-${SPAN}-011`, `${VALID}\n`, `01-${TRACE}-${SPAN}-01-${'x'.repeat(250)}`
  ]
  for (const text of wrong) t.equal(parseTraceparent(text), undefined, JSON.stringify(text))
})

t.test('a tracestate has up to 32 members of the W3C syntax and 512 characters', async (t) => {
  const members = (count: number) => Array.from({ length: count }, (_, index) => `k${index}=v`).join(',')
  const right = [
    'congo=t61rcWkgMzE', 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE', 'a=1, b=2 ,\tc=3', 'a=1,,b=2', 'fw529a3039@dt=x',
    '0tenant@vendor=x', 'a_-*/z=~!', 'k=a b', members(32)
  ]
  for (const text of right) t.equal(isTracestate(text), true, text)
  const wrong = [
    '', ',', 'a', 'a=', '=1', 'A=1', '0a=1', 'a=1,a=2', 'a=b=c', 'a=\u00e4', 'a=\u007f', 'a@B=1', 'a@=1', 'a b=1',
    'ok=1,bad', 'a=1\n', '\ra=1', 'a=1,\r\nb=2', '\u00a0a=1', 'a=1\u2028',
    members(33), `a=${'x'.repeat(257)}`, `${'a=1,'.repeat(1)}${'b'.repeat(257)}=1`,
    `a=${'x'.repeat(250)},b=${'x'.repeat(250)},c=${'x'.repeat(10)}`
  ]
  for (const text of wrong) t.equal(isTracestate(text), false, text)
})
