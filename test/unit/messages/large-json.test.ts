import fc from 'fast-check'
import t from 'tap'
import { BufferPool } from '../../../src/text/buffer-pool.ts'
import { batchSlices, linesOf, messageSlices, messageToJsonText, rawBody } from '../../../src/messages/index.ts'
import { isLarge } from '../../../src/messages/large-json.ts'
import type { AmqpValue, OutgoingMessage, ReadMessage } from '../../../src/streams/index.ts'
import { isMessageRead, stored, unreadable } from './support.ts'

const ENCODINGS = ['auto', 'json', 'text', 'base64'] as const
const MIB = 1024 * 1024

const value = (value: AmqpValue): OutgoingMessage => ({ body: { kind: 'value', value } })
// Characters of one to four bytes, controls and quotation marks: a slice must not end inside any of them.
const unit = fc.constantFrom('x', '"', '\\', '\u0001', '\n', 'é', '€', '\u2028', '\u0085', '😀', '\ufffd')
const longText = fc.tuple(fc.array(unit, { minLength: 1, maxLength: 9 }), fc.integer({ min: 100_000, max: 200_000 }))
  .map(([units, length]) => units.join('').repeat(Math.ceil(length / units.length)))

const large: fc.Arbitrary<OutgoingMessage> = fc.oneof(
  fc.tuple(longText, fc.constantFrom('text/plain', 'application/json', undefined))
    .map(([text, contentType]) => ({ body: Buffer.from(text), properties: { contentType } })),
  fc.tuple(longText, fc.constantFrom(' ', '\n', '')).map(([text, space]) => ({
    body: Buffer.from(`{${space}"a":${space}${JSON.stringify(text)}}`),
    properties: { contentType: 'application/json' }
  })),
  fc.integer({ min: 100_000, max: 300_000 }).map((length) => ({ body: Buffer.alloc(length, 0xff) })),
  longText.map((text) => value({ type: 'string', value: text })),
  longText.map((text) => value({ type: 'binary', value: Buffer.from(text) })),
  longText.map((text) => value({ type: 'list', value: [{ type: 'string', value: text }] })),
  longText.map((text): OutgoingMessage => ({
    ...value({ type: 'string', value: text }),
    properties: { subject: 's\u2028' },
    applicationProperties: [[{ type: 'string', value: 'k' }, { type: 'string', value: 'v' }]]
  }))
)

t.test('a large message is printed in slices as it would be at once', async (t) => {
  fc.assert(fc.property(large, (message) => {
    const entry = stored(message)
    return isLarge(entry.bytes.length) && ENCODINGS.every((encoding) =>
      [...messageSlices(entry, encoding)].join('') === messageToJsonText(entry, encoding))
  }), { numRuns: 60 })
  t.equal([...messageSlices(unreadable, 'auto')].join(''), messageToJsonText(unreadable, 'auto'))
  const notAmqp: ReadMessage = { ...unreadable, kind: 'entry', bytes: Buffer.alloc(200_000, 1) }
  t.equal([...messageSlices(notAmqp, 'auto')].join(''), messageToJsonText(notAmqp, 'auto'))
})

t.test('large and small messages of a batch keep their order', async (t) => {
  const small = stored({ body: Buffer.from('small') })
  const big = stored({ body: Buffer.alloc(150_000, 'b') })
  const entries = [small, big, big, small, small]
  const data = Buffer.concat(entries.flatMap(({ bytes }) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, bytes]
  }))
  const run = { kind: 'run', offset: 7, timestamp: 0, data, start: 0, end: data.length, count: 5 } as const
  const slices = [...batchSlices([run, unreadable], 'auto', '\n')]
  const expected = [...entries.map((each, index) => ({ ...each, offset: 7 + index, timestamp: 0 })), unreadable]
  t.equal(
    slices.map(({ text }) => text).join(''), expected.map((each) => messageToJsonText(each, 'auto')).join('\n')
  )
  t.same(slices.flatMap(({ reached }) => reached ?? []), [8, 9, 10, 12, 108], 'each slice says what it reaches')
})

t.test('U+2028, U+2029 and U+0085 do not end a line for readers that take them for the end of one', async (t) => {
  const separators = '\u2028 \u2029 \u0085'
  const messages: OutgoingMessage[] = [
    { body: Buffer.from(separators) },
    {
      body: Buffer.from(JSON.stringify({ [separators]: separators })),
      properties: { contentType: 'application/json' }
    },
    { body: Buffer.from('x'), properties: { subject: separators } },
    { body: Buffer.from('x'), applicationProperties: [[{ type: 'string', value: separators }, { type: 'null' }]] },
    value({ type: 'char', value: 0x2028 }),
    value({ type: 'map', value: [[{ type: 'symbol', value: separators }, { type: 'string', value: separators }]] })
  ]
  for (const message of messages) {
    const text = messageToJsonText(stored(message), 'auto')
    t.notMatch(text, /[\u0085\u2028\u2029]/)
    t.ok(isMessageRead(JSON.parse(text)))
    const run = runOf(stored(message))
    t.equal([...batchSlices([run], 'auto', '\n')].map((slice) => slice.text).join(''), text)
    // The second time it has the head of the one before.
    t.notMatch([...batchSlices([run, run], 'auto', '\n')].map((slice) => slice.text).join(''), /[\u0085\u2028\u2029]/)
  }
  t.equal(JSON.parse(messageToJsonText(stored({ body: Buffer.from(separators) }), 'auto')).body, separators)
  const lines = finish(linesOf([runOf(stored({ body: Buffer.from(separators) }))], new BufferPool(1, MIB)))
  t.equal(lines.bytes.toString(), `${separators}\n`, 'lines are what is stored')
})

t.test('a message with more values than are decoded is returned as it is stored', async (t) => {
  const nulls = Array.from({ length: 60_000 }, (): AmqpValue => ({ type: 'null' }))
  const many = stored(value({ type: 'list', value: nulls }))
  for (const encoding of ENCODINGS) {
    const json = JSON.parse(messageToJsonText(many, encoding))
    t.ok(isMessageRead(json))
    t.match(json, { format: 'undecoded', reason: 'the message has more than 25000 AMQP values' })
    t.equal(json.bodyEncoding, 'base64')
    t.ok(Buffer.from(json.body, 'base64').equals(many.bytes))
  }
  t.match(rawBody(many), { contentType: 'application/octet-stream', body: many.bytes })

  const pairs = Array.from({ length: 60_000 }, (_, n) =>
    [{ type: 'string', value: `k${n}` }, { type: 'null' }] as const)
  const withBody = stored({ body: Buffer.from('the body'), applicationProperties: pairs })
  t.match(JSON.parse(messageToJsonText(withBody, 'auto')), { format: 'undecoded' })
  t.equal(Buffer.from(bytesOf(rawBody(withBody).body)).toString(), 'the body', 'its body is still found')
  t.equal(finish(linesOf([runOf(withBody)], new BufferPool(1, MIB))).bytes.toString(), 'the body\n')

  const text = { type: 'string', value: 'x'.repeat(MIB) } as const
  t.match(JSON.parse(messageToJsonText(stored(value({ type: 'list', value: [text, text, text] })), 'auto')), {
    format: 'undecoded',
    reason: 'the message has more than 1048576 bytes of text in AMQP values'
  })
  const tenThousand = stored({ body: Buffer.from('x'), applicationProperties: pairs.slice(0, 10_000) })
  t.equal(Object.keys(JSON.parse(messageToJsonText(tenThousand, 'auto')).applicationProperties).length, 10_000)
})

t.test('a body of one long string is read by every route', async (t) => {
  const text = '"é\n'.repeat(2 * MIB)
  const long = stored(value({ type: 'string', value: text }))
  const json = JSON.parse([...messageSlices(long, 'auto')].join(''))
  t.match(json, { bodyEncoding: 'json', bodyType: 'value' })
  t.ok(json.body === text)
  t.equal(JSON.parse(Buffer.from(bytesOf(rawBody(long).body)).toString()), text)
  const { bytes, stoppedAt } = finish(linesOf([runOf(long)], new BufferPool(1, MIB)))
  t.equal(stoppedAt, undefined)
  t.ok(bytes.toString() === `${JSON.stringify(text)}\n`)
})

function runOf (message: ReadMessage) {
  const length = Buffer.alloc(4)
  length.writeUInt32BE(message.bytes.length)
  const data = Buffer.concat([length, message.bytes])
  return { kind: 'run', offset: 7, timestamp: message.timestamp, data, start: 0, end: data.length, count: 1 } as const
}

function bytesOf (body: Uint8Array | Iterable<string>): Uint8Array {
  return body instanceof Uint8Array ? body : Buffer.from([...body].join(''))
}

function finish<T> (steps: Generator<void, T>): T {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}
