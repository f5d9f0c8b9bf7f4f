import t from 'tap'
import fc from 'fast-check'
import { parsePattern } from '../../../src/routes/read/filter-query.ts'
import {
  decodeMessage, encodedLength, encodeMessage, textOf, type AmqpMap, type AmqpMessage
} from '../../../src/streams/amqp/index.ts'
import { ReadFilter, type Condition, type OutgoingMessage, type TextPattern } from '../../../src/streams/index.ts'
import { anyMessage } from '../messages/arbitraries.ts'

const ANNOTATION = 'x-stream-filter-value'

/** The bytes of a message between others, as they lie in a chunk. */
function stored (message: OutgoingMessage): { data: Buffer, start: number, end: number } {
  const start = 7
  const end = start + encodedLength(message)
  const data = Buffer.alloc(end + 9, 0xa1)
  encodeMessage(message, data, start)
  return { data, start, end }
}

function valueOf (map: AmqpMap | undefined, name: string): string | undefined {
  const found = map?.find(([key]) => (key.type === 'string' || key.type === 'symbol') && key.value === name)
  return found && textOf(found[1])
}

function naiveText (message: AmqpMessage, field: Condition['field']): string | undefined {
  if (field === 'subject') return message.properties?.subject
  if (field === 'messageId') return message.properties?.messageId && textOf(message.properties.messageId)
  return valueOf(message.applicationProperties, field.applicationProperty)
}

function fits (text: string, { kind, text: wanted }: TextPattern): boolean {
  const [bytes, wantedBytes] = [Buffer.from(text), Buffer.from(wanted)]
  if (kind === 'exact') return text === wanted
  const part = kind === 'prefix'
    ? bytes.subarray(0, wantedBytes.length)
    : bytes.subarray(Math.max(0, bytes.length - wantedBytes.length))
  return part.equals(wantedBytes)
}

function naively (bytes: Uint8Array, values: readonly string[], conditions: readonly Condition[]): boolean {
  const message = decodeMessage(bytes)
  const value = valueOf(message.messageAnnotations, ANNOTATION)
  if (values.length > 0 && value !== undefined && !values.includes(value)) return false
  return conditions.every(({ field, anyOf }) => {
    const text = naiveText(message, field)
    return text !== undefined && anyOf.some((pattern) => fits(text, pattern))
  })
}

// Few texts, so that they often match.
const text = fc.constantFrom('', 'a', 'ab', 'b', 'é', 'aé', '1', 'true')
const pattern: fc.Arbitrary<TextPattern> = fc.record({ kind: fc.constantFrom('exact', 'prefix', 'suffix'), text })
const field: fc.Arbitrary<Condition['field']> = fc.oneof(
  fc.constantFrom('subject' as const, 'messageId' as const),
  text.map((applicationProperty) => ({ applicationProperty }))
)
const condition = fc.record({ field, anyOf: fc.array(pattern, { minLength: 1, maxLength: 3 }) })
const simple = fc.oneof(
  text.map((value) => ({ type: 'string' as const, value })),
  fc.constantFrom({ type: 'int' as const, value: 1 }, { type: 'ulong' as const, value: 1n }, { type: 'null' as const },
    { type: 'boolean' as const, value: true }, { type: 'binary' as const, value: Buffer.from('a') })
)
const key = (type: 'string' | 'symbol') => fc.oneof(text, fc.constant(ANNOTATION)).map((value) => ({ type, value }))
const map = (type: 'string' | 'symbol') =>
  fc.uniqueArray(fc.tuple(key(type), simple), { selector: ([{ value }]) => value, maxLength: 4 })
const likelyMessage: fc.Arbitrary<OutgoingMessage> = fc.record({
  messageAnnotations: map('symbol'),
  properties: fc.record({ subject: text, messageId: simple }, { requiredKeys: [] }),
  applicationProperties: map('string'),
  body: text.map((body) => Buffer.from(body))
}, { requiredKeys: ['body'] })
const filter = fc.record({
  values: fc.array(text, { maxLength: 2 }),
  conditions: fc.array(condition, { maxLength: 3 })
})

t.test('a filter matches what a filter over decoded messages matches', async (t) => {
  let matched = 0
  fc.assert(fc.property(fc.oneof(likelyMessage, anyMessage), filter, (message, { values, conditions }) => {
    const { data, start, end } = stored(message)
    const isMatch = new ReadFilter({ values, matchUnfiltered: false, conditions }).matches(data, start, end)
    if (isMatch && conditions.length > 0) matched++
    return isMatch === naively(data.subarray(start, end), values, conditions)
  }), { numRuns: 5000 })
  t.ok(matched > 100, `${matched} matches`)
})

t.test('bytes that are no message match no condition, and end no read', async (t) => {
  const bytes = (maxLength: number) => fc.uint8Array({ maxLength })
  fc.assert(fc.property(bytes(60), bytes(8), condition, (bytes, more, one) => {
    const data = Buffer.concat([bytes, more])
    new ReadFilter({ values: ['a'], matchUnfiltered: false, conditions: [one] }).matches(data, 0, bytes.length)
  }), { numRuns: 5000 })
  const { data, start, end } = stored({ properties: { subject: 'a' }, body: Buffer.alloc(3) })
  const subject = { field: 'subject', anyOf: [{ kind: 'prefix', text: '' }] } as const
  const anySubject = new ReadFilter({ values: [], matchUnfiltered: false, conditions: [subject] })
  t.ok(anySubject.matches(data, start, end))
  for (let cut = start; cut < end - 8; cut++) t.notOk(anySubject.matches(data, start, cut), `cut at ${cut}`)
  t.notOk(anySubject.matches(Buffer.from('plain text'), 0, 10))
})

t.test('a * at one end stands for any text, and every text can be written', async (t) => {
  t.same(parsePattern('abc'), { kind: 'exact', text: 'abc' })
  t.same(parsePattern('abc*'), { kind: 'prefix', text: 'abc' })
  t.same(parsePattern('*abc'), { kind: 'suffix', text: 'abc' })
  t.same(parsePattern('*'), { kind: 'suffix', text: '' })
  t.same(parsePattern(''), { kind: 'exact', text: '' })
  t.same(parsePattern('\\*a\\\\*'), { kind: 'prefix', text: '*a\\' })
  for (const bad of ['a*b', '*a*', '**', '\\', 'a\\', '\\a', 'a\\b*']) t.equal(parsePattern(bad), undefined, bad)
  fc.assert(fc.property(fc.string(), (wanted) => {
    const parsed = parsePattern(wanted.replace(/[*\\]/g, '\\$&'))
    return parsed?.kind === 'exact' && parsed.text === wanted
  }))
})

t.test('filters with the same values share readers, whatever their order', async (t) => {
  const keyOf = (values: string[], matchUnfiltered = false) =>
    new ReadFilter({ values, matchUnfiltered, conditions: [] }).key
  t.equal(keyOf(['b', 'a', 'b']), keyOf(['a', 'b']))
  t.not(keyOf(['a', 'b']), keyOf(['a']))
  t.not(keyOf(['a']), keyOf(['a'], true))
  t.equal(keyOf([]), '')
  t.same([...new ReadFilter({ values: ['b', 'a'], matchUnfiltered: true, conditions: [] }).properties], [
    ['filter.0', 'a'], ['filter.1', 'b'], ['match-unfiltered', 'true']
  ])
})
