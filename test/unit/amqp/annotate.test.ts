import fc from 'fast-check'
import t from 'tap'
import {
  decodeMessage, encodedLength, encodeMessage, fieldText, PROPERTY_INDEX, splitAnnotations, withAnnotations
} from '../../../src/streams/amqp/index.ts'
import type { AmqpMap, AmqpMessage, AmqpValue, OutgoingMessage } from '../../../src/streams/amqp/index.ts'
import { annotations, anyValue, applicationProperties, bytes, header, properties, spell } from './arbitraries.ts'

const isOurs = (key: string): boolean => key.startsWith('x-ours-')
const symbol = (value: string): AmqpValue => ({ type: 'symbol', value })
const text = (value: string): AmqpValue => ({ type: 'string', value })

function encode (message: OutgoingMessage): Buffer {
  const target = Buffer.alloc(encodedLength(message))
  encodeMessage(message, target, 0)
  return target
}

const outgoing: fc.Arbitrary<OutgoingMessage> = fc.record({
  header,
  deliveryAnnotations: annotations,
  messageAnnotations: annotations,
  footer: annotations,
  properties,
  applicationProperties,
  body: fc.oneof(
    bytes,
    anyValue.map((value) => ({ kind: 'value' as const, value })),
    fc.array(fc.array(anyValue, { maxLength: 3 }), { minLength: 1, maxLength: 3 })
      .map((sections) => ({ kind: 'sequence' as const, sections }))
  )
}, { requiredKeys: ['body'] })

const ours: fc.Arbitrary<AmqpMap> = fc.array(
  fc.tuple(fc.constantFrom('a', 'b', 'c').map((name) => symbol(`x-ours-${name}`)), anyValue),
  { minLength: 1, maxLength: 4 }
)

function withoutAnnotations ({ messageAnnotations, ...others }: AmqpMessage): string {
  return spell(others)
}

t.test('annotations are added, and nothing else of a message changes', async () => {
  fc.assert(fc.property(outgoing, ours, (message, added) => {
    const original = encode(message)
    const annotated = withAnnotations(original, added, isOurs)
    if (annotated === undefined) throw new Error('a message was not taken for one')
    const before = decodeMessage(original)
    const after = decodeMessage(annotated)
    if (withoutAnnotations(after) !== withoutAnnotations(before)) throw new Error('another section has changed')
    const expected = [...before.messageAnnotations ?? [], ...added]
    if (spell(after.messageAnnotations) !== spell(expected)) throw new Error('the annotations are not as expected')
    const split = splitAnnotations(annotated, isOurs)
    if (split === undefined || !original.equals(split.rest)) throw new Error('the original does not come back')
    if (spell(split.taken) !== spell(added)) throw new Error('what was added does not come back')
  }), { numRuns: 300 })
})

t.test('an older annotation is replaced, and the others keep their bytes and their order', async (t) => {
  const map: AmqpMap = [
    [symbol('x-first'), text('1')], [symbol('x-ours-a'), text('old')], [symbol('x-last'), text('2')]
  ]
  const original = encode({ messageAnnotations: map, body: Buffer.from('body') })
  const annotated = withAnnotations(original, [[symbol('x-ours-a'), text('new')]], isOurs)
  t.same(annotated && decodeMessage(annotated).messageAnnotations, [
    [symbol('x-first'), text('1')], [symbol('x-last'), text('2')], [symbol('x-ours-a'), text('new')]
  ])
})

t.test('sections that no canonical encoder writes keep their bytes', async (t) => {
  const wideProperties = Buffer.concat([
    Buffer.from([0x00, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x73]), // the descriptor as a ulong of eight bytes
    Buffer.from([0xd0, 0, 0, 0, 5, 0, 0, 0, 1, 0x40]) // a list of one null, with wide sizes
  ])
  const name = Buffer.from('amqp:message-annotations:map')
  const named = Buffer.concat([Buffer.from([0x00, 0xa3, name.length]), name])
  const wideMap = Buffer.from([0xd1, 0, 0, 0, 9, 0, 0, 0, 2, 0xa3, 1, 0x6b, 0x56, 0x01])
  const data = Buffer.from([0x00, 0x53, 0x75, 0xb0, 0, 0, 0, 1, 0x21])
  // The properties come before the annotations here.
  const original = Buffer.concat([wideProperties, named, wideMap, data])
  const annotated = withAnnotations(original, [[symbol('x-ours-a'), text('1')]], isOurs)
  if (annotated === undefined) throw new Error('not taken for a message')
  t.ok(annotated.subarray(0, wideProperties.length).equals(wideProperties))
  t.ok(annotated.subarray(-data.length).equals(data))
  t.ok(annotated.includes(wideMap.subarray(9)), 'the entry')
  t.ok(annotated.includes(named), 'the descriptor')
  t.equal(decodeMessage(annotated).messageAnnotations?.length, 2)
})

t.test('many annotations take the wide form of a map', async (t) => {
  const map: AmqpMap = Array.from({ length: 200 }, (_, index) => [symbol(`x-${index}`), { type: 'null' }])
  const original = encode({ messageAnnotations: map, body: Buffer.alloc(0) })
  const annotated = withAnnotations(original, [[symbol('x-ours-a'), text('1')]], isOurs)
  t.equal(annotated && decodeMessage(annotated).messageAnnotations?.length, 201)
})

t.test('what is not a message is said so, whatever the bytes', async (t) => {
  const plain = [Buffer.from('plain text'), Buffer.alloc(0), Buffer.from([0x00, 0x53, 0x75, 0xa0, 9, 1])]
  const twice = Buffer.from([0x00, 0x53, 0x72, 0xc1, 1, 0, 0x00, 0x53, 0x72, 0xc1, 1, 0])
  const odd = Buffer.from([0x00, 0x53, 0x72, 0xc1, 2, 1, 0x40])
  for (const bytes of [...plain, twice, odd]) {
    t.equal(withAnnotations(bytes, [[symbol('x-ours-a'), text('1')]], isOurs), undefined)
    t.equal(splitAnnotations(bytes, isOurs), undefined)
  }
  const prefix = Buffer.from([0x00, 0x53, 0x72])
  fc.assert(fc.property(fc.boolean(), fc.uint8Array({ maxLength: 60 }), (isPrefixed, tail) => {
    const bytes = isPrefixed ? Buffer.concat([prefix, tail]) : Buffer.from(tail)
    withAnnotations(bytes, [[symbol('x-ours-a'), text('1')]], isOurs)
    splitAnnotations(bytes, isOurs)
  }), { numRuns: 1000 })
})

t.test('a text of a message is found without decoding the rest', async (t) => {
  const original = encode({
    properties: { subject: 'news', groupId: 'größe' },
    applicationProperties: [[text('count'), { type: 'int', value: -3 }], [text('region'), symbol('eu')]],
    body: Buffer.from('body')
  })
  const property = (index: number) => fieldText(original, 0, original.length, { in: 'properties', index })
  const application = (key: string) =>
    fieldText(original, 0, original.length, { in: 'applicationProperties', key: Buffer.from(key) })
  t.equal(property(PROPERTY_INDEX.groupId), 'größe')
  t.equal(property(PROPERTY_INDEX.subject), 'news')
  t.equal(property(PROPERTY_INDEX.messageId), undefined)
  t.equal(application('region'), 'eu')
  t.equal(application('count'), '-3')
  t.equal(application('other'), undefined)
})
