import fc from 'fast-check'
import rhea from 'rhea'
import t from 'tap'
import {
  dataBodyOf, dataSectionHeaderLength, decodeMessage, encodedLength, encodeMessage, writeDataSectionHeader
} from '../../../src/streams/amqp/index.ts'
import type { AmqpValue, OutgoingMessage } from '../../../src/streams/amqp/index.ts'
import { annotations, anyValue, applicationProperties, bytes, header, properties, spell } from './arbitraries.ts'
import { peerEncode } from './rhea-peer.ts'

function encode (message: OutgoingMessage): Buffer {
  // The message goes into the middle of a larger buffer, as it does into a publish frame.
  const length = encodedLength(message)
  const target = Buffer.alloc(length + 14, 0xee)
  const end = encodeMessage(message, target, 7)
  if (end !== length + 7) throw new Error(`promised ${length} bytes and wrote ${end - 7}`)
  if (!target.subarray(0, 7).every(byte => byte === 0xee) || !target.subarray(end).every(byte => byte === 0xee)) {
    throw new Error('wrote outside its range')
  }
  return target.subarray(7, end)
}

const outgoing: fc.Arbitrary<OutgoingMessage> = fc.record({
  header,
  deliveryAnnotations: annotations,
  messageAnnotations: annotations,
  footer: annotations,
  properties,
  applicationProperties,
  body: fc.oneof(
    { weight: 4, arbitrary: bytes },
    { weight: 1, arbitrary: anyValue.map(value => ({ kind: 'value' as const, value })) },
    {
      weight: 1,
      arbitrary: fc.array(fc.array(anyValue, { maxLength: 3 }), { minLength: 1, maxLength: 3 })
        .map(sections => ({ kind: 'sequence' as const, sections }))
    }
  )
}, { requiredKeys: ['body'] })

/** The message that decoding must return. Empty sections are not written. */
function expected ({ body, ...sections }: OutgoingMessage) {
  const isEmpty = (section: object) => Object.values(section).every(value => value === undefined)
  return {
    ...Object.fromEntries(Object.entries(sections).filter(([, section]) => !isEmpty(section))),
    body: body instanceof Uint8Array ? { kind: 'data', sections: [body] } : body
  }
}

/** The same text for the same sections, whatever the order of their names. */
function spellSorted (value: object): string {
  const sorted = (fields: object) => Object.fromEntries(Object.entries(fields).sort(([a], [b]) => a < b ? -1 : 1))
  const isRecord = (section: unknown): section is object =>
    typeof section === 'object' && section !== null && !Array.isArray(section)
  return spell(sorted(Object.fromEntries(
    Object.entries(value).map(([name, section]) => [name, isRecord(section) ? sorted(section) : section])
  )))
}

t.test('every message decodes to what was encoded', async t => {
  fc.assert(fc.property(outgoing, message =>
    spellSorted({ ...decodeMessage(encode(message)) }) === spellSorted(expected(message))), { numRuns: 1000 })
  t.pass('round trips hold')
})

t.test('the fast path finds the same body as decodeMessage', async t => {
  fc.assert(fc.property(outgoing, message => {
    const body = dataBodyOf(encode(message))
    return message.body instanceof Uint8Array
      ? body !== undefined && Buffer.from(body).equals(message.body)
      : body === undefined
  }), { numRuns: 500 })
  t.pass('agrees')
})

t.test('rhea reads a whole message that was written here', async t => {
  const message = rhea.message.decode(encode({
    header: { durable: true, priority: 9, ttlMs: 60_000, firstAcquirer: true, deliveryCount: 2 },
    deliveryAnnotations: [[{ type: 'symbol', value: 'x-hop' }, { type: 'string', value: 'edge' }]],
    footer: [[{ type: 'symbol', value: 'x-sum' }, { type: 'string', value: 'c0ffee' }]],
    messageAnnotations: [[{ type: 'symbol', value: 'x-trace' }, { type: 'string', value: 'a1' }]],
    properties: {
      messageId: { type: 'ulong', value: 7n },
      userId: Buffer.from('alice'),
      to: { type: 'string', value: 'orders' },
      subject: 'created',
      correlationId: { type: 'string', value: 'c-1' },
      contentType: 'application/json',
      creationTime: 1_700_000_000_000n,
      groupSequence: 3
    },
    applicationProperties: [
      [{ type: 'string', value: 'tenant' }, { type: 'string', value: 'acme' }],
      [{ type: 'string', value: 'n' }, { type: 'int', value: -5 }]
    ],
    body: Buffer.from('{"a":1}')
  }))
  t.equal(message.durable, true)
  t.equal(message.priority, 9)
  t.equal(message.ttl, 60_000)
  t.equal(message.first_acquirer, true)
  t.equal(message.delivery_count, 2)
  t.same(message.delivery_annotations, { 'x-hop': 'edge' })
  t.same(message.footer, { 'x-sum': 'c0ffee' })
  t.same(message.message_annotations, { 'x-trace': 'a1' })
  t.equal(message.message_id, 7)
  t.equal(message.user_id?.toString(), 'alice')
  t.equal(message.to, 'orders')
  t.equal(message.subject, 'created')
  t.equal(message.reply_to, undefined)
  t.equal(message.correlation_id, 'c-1')
  t.equal(message.content_type, 'application/json')
  t.equal(Number(message.creation_time), 1_700_000_000_000)
  t.equal(message.group_sequence, 3)
  t.same(message.application_properties, { tenant: 'acme', n: -5 })
  t.equal(message.body.content.toString(), '{"a":1}')
})

t.test('a whole message that rhea wrote is read here', async t => {
  const written = rhea.message.encode({
    durable: true,
    priority: 5,
    delivery_annotations: { 'x-hop': 1 },
    message_annotations: { 'x-trace': 'a1' },
    message_id: 'm-1',
    user_id: Buffer.from('bob'),
    content_type: 'text/plain',
    creation_time: new Date(1_700_000_000_000),
    group_sequence: 300,
    application_properties: { half: 0.5, yes: true },
    body: rhea.message.data_sections([Buffer.from('one'), Buffer.from('two')]),
    footer: { 'x-sum': 1 }
  })
  const message = decodeMessage(written)
  t.same(message.header, { durable: true, priority: 5 })
  t.equal(spell(message.deliveryAnnotations), spell([
    [{ type: 'symbol', value: 'x-hop' }, { type: 'uint', value: 1 }]
  ]))
  t.equal(spell(message.messageAnnotations), spell([
    [{ type: 'symbol', value: 'x-trace' }, { type: 'string', value: 'a1' }]
  ]))
  t.equal(spell(message.footer), spell([
    [{ type: 'string', value: 'x-sum' }, { type: 'uint', value: 1 }]
  ]))
  t.same(message.properties, {
    messageId: { type: 'string', value: 'm-1' },
    userId: Buffer.from('bob'),
    contentType: 'text/plain',
    creationTime: 1_700_000_000_000n,
    groupSequence: 300
  })
  t.equal(spell(message.applicationProperties), spell([
    [{ type: 'string', value: 'half' }, { type: 'double', value: 0.5 }],
    [{ type: 'string', value: 'yes' }, { type: 'boolean', value: true }]
  ]))
  t.equal(spell(message.body), spell({ kind: 'data', sections: [Buffer.from('one'), Buffer.from('two')] }))
  t.equal(String(dataBodyOf(written)), 'onetwo')
})

t.test('sequences and values that rhea wrote are read here', async t => {
  const one: AmqpValue = { type: 'uint', value: 1 }
  const sequences = rhea.message.encode({ body: rhea.message.sequence_sections([[1], ['a', 'b']]) })
  t.equal(spell(decodeMessage(sequences).body), spell({
    kind: 'sequence',
    sections: [[one], [{ type: 'string', value: 'a' }, { type: 'string', value: 'b' }]]
  }))
  t.equal(dataBodyOf(sequences), undefined)
  const value = rhea.message.encode({ body: { n: 1 } })
  t.equal(spell(decodeMessage(value).body), spell({
    kind: 'value',
    value: { type: 'map', value: [[{ type: 'string', value: 'n' }, one]] }
  }))
})

t.test('a section may be named by its symbol, and sections may come in any order', async t => {
  const descriptor = (name: string) => Buffer.concat([Buffer.from([0x00]), peerEncode({ type: 'symbol', value: name })])
  const data = Buffer.concat([descriptor('amqp:data:binary'), peerEncode({ type: 'binary', value: Buffer.from('x') })])
  const map = peerEncode({ type: 'map', value: [[{ type: 'string', value: 'k' }, { type: 'int', value: 1 }]] })
  const annotated = Buffer.concat([
    data,
    descriptor('amqp:footer:map'), map,
    descriptor('amqp:application-properties:map'), map,
    descriptor('amqp:header:list'), Buffer.from([0x45])
  ])
  const message = decodeMessage(annotated)
  t.equal(spell(message.body), spell({ kind: 'data', sections: [Buffer.from('x')] }))
  t.equal(message.applicationProperties?.length, 1)
  t.equal(String(dataBodyOf(annotated)), 'x')
})

t.test('properties with the types that other clients use are read', async t => {
  const fields: AmqpValue[] = [
    { type: 'int', value: 5 },
    { type: 'string', value: 'alice' },
    { type: 'symbol', value: 'orders' },
    { type: 'symbol', value: 'subject' },
    { type: 'null' },
    { type: 'uuid', value: '00112233-4455-6677-8899-aabbccddeeff' },
    { type: 'string', value: 'text/plain' }
  ]
  const section = Buffer.concat([Buffer.from([0x00, 0x53, 0x73]), peerEncode({ type: 'list', value: fields })])
  t.same(decodeMessage(section).properties, {
    messageId: fields[0],
    userId: Buffer.from('alice'),
    to: fields[2],
    subject: 'subject',
    correlationId: fields[5],
    contentType: 'text/plain'
  })
})

t.test('a body is a view of the given bytes, not a copy', async t => {
  const entry = encode({ body: Buffer.from('abc') })
  const whole = decodeMessage(entry).body
  const fast = dataBodyOf(entry)
  entry.write('xyz', 5)
  t.equal(whole.kind === 'data' && String(whole.sections[0]), 'xyz')
  t.equal(String(fast), 'xyz')
})

t.test('a Uint8Array that is not a Buffer is read wherever it lies in its memory', async t => {
  const memory = new Uint8Array(20)
  memory.set(encode({ body: Buffer.from('abc') }), 9)
  const entry = memory.subarray(9, 17)
  t.equal(Buffer.from(dataBodyOf(entry) ?? []).toString(), 'abc')
  t.equal(decodeMessage(entry).body.kind, 'data')
})

t.test('a body alone takes five more bytes, a long one eight, and empty sections are not written', async t => {
  const short = encode({ body: Buffer.from('hi'), properties: {}, applicationProperties: [], messageAnnotations: [] })
  t.equal(short.toString('hex'), '005375a0026869')
  for (const [length, header] of [[0, 5], [255, 5], [256, 8], [70_000, 8]] as const) {
    const body = Buffer.alloc(length, 0x61)
    const entry = encode({ body })
    t.equal(entry.length, length + header)
    t.equal(dataSectionHeaderLength(length), header)
    const target = Buffer.alloc(header)
    t.equal(writeDataSectionHeader(target, 0, length), header)
    t.ok(entry.subarray(0, header).equals(target))
    t.ok(body.equals(dataBodyOf(entry) ?? Buffer.from('none')))
  }
})
