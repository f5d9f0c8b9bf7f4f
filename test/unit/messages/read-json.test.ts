import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import t from 'tap'
import { messageToJsonText } from '../../../src/messages/index.ts'
import type { ReadEncoding } from '../../../src/messages/index.ts'
import type { OutgoingMessage, ReadMessage } from '../../../src/streams/index.ts'
import { anyMessage } from './arbitraries.ts'
import { written, entry, isMessageRead, readableMessage, stored, unreadable } from './support.ts'
import { exactly } from '../../support/exactly.ts'

const ENCODINGS: readonly ReadEncoding[] = ['auto', 'json', 'text', 'base64']

const withBody = (body: string | Uint8Array, contentType?: string) =>
  stored({ body: Buffer.from(body), properties: { contentType } })

/** The body and its encoding, as they stand in the JSON text. */
function bodyPart (message: ReadMessage, encoding: ReadEncoding): string {
  const text = messageToJsonText(message, encoding)
  return text.slice(text.indexOf('"body":') + 7, text.indexOf(',"properties"'))
}

t.test('what was read can be posted again, and reads the same', async t => {
  for (const encoding of ENCODINGS) {
    fc.assert(fc.property(anyMessage, message => {
      const text = messageToJsonText(stored(message), encoding)
      const posted = written(text)
      // JSON objects have no order: JavaScript reorders keys like numbers.
      return isDeepStrictEqual(JSON.parse(messageToJsonText(stored(posted.message), encoding)), JSON.parse(text))
    }), { numRuns: 700 })
  }
  t.pass('in every encoding')
})

t.test('every message is one line of JSON, of the documented shape, the same as text and as value', async t => {
  fc.assert(fc.property(anyMessage, fc.constantFrom(...ENCODINGS), (message, encoding) => {
    const text = messageToJsonText(stored(message), encoding)
    const value = readableMessage(stored(message), encoding)
    return !/[\r\n]/.test(text) && isMessageRead(value) && isDeepStrictEqual(value, JSON.parse(text))
  }), { numRuns: 1000 })
  t.pass('one line')
})

t.test('auto: JSON when declared and valid, else text, else base64', async t => {
  const cases: Array<[string | Uint8Array, string | undefined, string]> = [
    ['{"a":1}', 'application/json', '{"a":1},"bodyEncoding":"json"'],
    ['{"a":1}', 'Application/JSON; charset=utf-8', '{"a":1},"bodyEncoding":"json"'],
    ['[1]', 'application/cloudevents+json', '[1],"bodyEncoding":"json"'],
    ['null', 'application/problem+json;x=y', 'null,"bodyEncoding":"json"'],
    ['{"a":1}', undefined, '"{\\"a\\":1}","bodyEncoding":"text"'],
    ['1', 'text/plain', '"1","bodyEncoding":"text"'],
    ['1', 'application/jsonp', '"1","bodyEncoding":"text"'],
    ['1', 'text/plain; x=a+json', '"1","bodyEncoding":"text"'],
    ['{"a":', 'application/json', '"{\\"a\\":","bodyEncoding":"text"'],
    ['', 'application/json', '"","bodyEncoding":"text"'],
    ['\ufeff1', 'application/json', '"\ufeff1","bodyEncoding":"text"'],
    ['é', undefined, '"é","bodyEncoding":"text"'],
    [Buffer.from([0xff]), undefined, '"/w==","bodyEncoding":"base64"'],
    [Buffer.from([0x22, 0xff, 0x22]), 'application/json', '"Iv8i","bodyEncoding":"base64"']
  ]
  for (const [body, contentType, expected] of cases) t.equal(bodyPart(withBody(body, contentType), 'auto'), expected)
})

t.test('another encoding is kept where it fits, and becomes base64 where not', async t => {
  t.equal(bodyPart(withBody('[1]'), 'json'), '[1],"bodyEncoding":"json"')
  t.equal(bodyPart(withBody('[1', 'application/json'), 'json'), '"WzE=","bodyEncoding":"base64"')
  t.equal(bodyPart(withBody('[1]', 'application/json'), 'text'), '"[1]","bodyEncoding":"text"')
  t.equal(bodyPart(withBody(Buffer.from([0xff])), 'text'), '"/w==","bodyEncoding":"base64"')
  t.equal(bodyPart(withBody('[1]', 'application/json'), 'base64'), '"WzFd","bodyEncoding":"base64"')
})

t.test('a JSON body is returned digit by digit', async (t) => {
  const body =
    '{"n":12345678901234567890123, "d":0.10000000000000000001, "e":1E400, "a":1, "a":2, "u":"\\ud800\\u0041"}'
  t.equal(bodyPart(withBody(body, 'application/json'), 'auto'), `${body},"bodyEncoding":"json"`)
  t.equal(
    bodyPart(withBody('{\r\n\t"a":\n"x\\ny"}\n', 'application/json'), 'auto'),
    '{  \t"a": "x\\ny"} ,"bodyEncoding":"json"',
    'but on one line'
  )
})

t.test('a missing content type is said, since posting would add one', async t => {
  t.same(readableMessage(stored({ body: Buffer.from('x') }), 'auto').properties, { contentType: null })
  t.same(readableMessage(stored({ body: Buffer.from('x'), properties: { subject: 's' } }), 'auto').properties, {
    subject: 's',
    contentType: null
  })
  t.equal(readableMessage(stored({ body: { kind: 'value', value: { type: 'null' } } }), 'auto').properties, undefined)
})

t.test('offset and time are those of the read', async (t) => {
  t.ok(
    messageToJsonText(entry(Buffer.from('005375a00161', 'hex')), 'auto').startsWith(
      '{"offset":7,"timestamp":"2025-01-31T12:00:00.000Z","body":"a"'
    )
  )
})

t.test('header, delivery annotations and footer are shown', async t => {
  const message = readableMessage(stored({
    header: { durable: true, priority: 9, ttlMs: 60_000 },
    deliveryAnnotations: [[{ type: 'symbol', value: 'x-hop' }, { type: 'string', value: 'edge' }]],
    footer: [[{ type: 'symbol', value: 'x-sum' }, { type: 'string', value: 'c0ffee' }]],
    body: Buffer.from('x')
  }), 'auto')
  t.same(message.header, { durable: true, priority: 9, ttlMs: 60_000 })
  t.same([message.deliveryAnnotations, message.footer], [{ 'x-hop': 'edge' }, { 'x-sum': 'c0ffee' }])
})

t.test('properties read as they were stored, whatever their types', async t => {
  const { properties } = readableMessage(stored({
    properties: {
      messageId: { type: 'ulong', value: 9007199254740993n },
      correlationId: { type: 'long', value: 5n },
      userId: Buffer.from([0xff]),
      to: { type: 'symbol', value: 'orders' },
      creationTime: 253402300800000n,
      absoluteExpiryTime: 0n
    },
    body: Buffer.alloc(0)
  }), 'auto')
  t.same(properties, {
    messageId: { $type: 'ulong', value: '9007199254740993' },
    userId: { $type: 'binary', value: '/w==' },
    to: { $type: 'symbol', value: 'orders' },
    correlationId: { $type: 'long', value: '5' },
    contentType: null,
    absoluteExpiryTime: '1970-01-01T00:00:00.000Z',
    creationTime: '253402300800000'
  })
})

t.test('maps that are no JSON object are pairs, and a key twice cannot be posted', async t => {
  const string = (value: string) => ({ type: 'string' as const, value })
  const read = (map: NonNullable<OutgoingMessage['applicationProperties']>) =>
    readableMessage(stored({ applicationProperties: map, body: Buffer.alloc(0) }), 'auto')
  t.same(read([[string('$type'), string('x')]]).applicationProperties, { $type: 'map', value: [['$type', 'x']] })
  t.same(read([[{ type: 'int', value: 1 }, string('x')]]).applicationProperties, { $type: 'map', value: [[1, 'x']] })
  const twice = read([
    [string('a'), string('x')],
    [string('a'), string('y')]
  ])
  t.same(twice.applicationProperties, {
    $type: 'map',
    value: [
      ['a', 'x'],
      ['a', 'y']
    ]
  })
  t.throws(() => written(twice), {
    name: 'MessageFormatError',
    pointer: '/applicationProperties/value/1/0'
  })
})

t.test('annotations with strings for keys, as some clients write them, are plain', async (t) => {
  const { messageAnnotations } = readableMessage(
    stored({
      messageAnnotations: [
        [
          { type: 'string', value: 'k' },
          { type: 'int', value: 1 }
        ]
      ],
      body: Buffer.alloc(0)
    }),
    'auto'
  )
  t.same(messageAnnotations, { k: 1 })
})

t.test('__proto__ as a key harms nothing, there and back', async t => {
  const json: unknown = JSON.parse('{"body":{"__proto__":{"x":1}},"applicationProperties":{"__proto__":"p"}}')
  const text = messageToJsonText(stored(written(json).message), 'auto')
  t.match(text, '"body":{"__proto__":{"x":1}}')
  t.match(text, '"applicationProperties":{"__proto__":"p"}')
  const read = readableMessage(stored(written(json).message), 'auto')
  t.ok(Object.hasOwn(read.applicationProperties ?? {}, '__proto__'))
  t.notOk('x' in {})
})

t.test('values, sequences and no body at all are JSON with their types', async (t) => {
  const value = stored({
    body: {
      kind: 'value',
      value: {
        type: 'map',
        value: [
          [
            { type: 'string', value: 'a' },
            { type: 'ubyte', value: 1 }
          ]
        ]
      }
    }
  })
  t.match(readableMessage(value, 'auto'), {
    body: { a: { $type: 'ubyte', value: 1 } },
    bodyEncoding: 'json',
    bodyType: 'value'
  })
  t.match(readableMessage(value, 'text'), {
    body: '{"a":{"$type":"ubyte","value":1}}',
    bodyEncoding: 'text',
    bodyType: 'value'
  })
  t.match(readableMessage(value, 'base64'), {
    body: Buffer.from('{"a":{"$type":"ubyte","value":1}}').toString('base64'),
    bodyEncoding: 'base64',
    bodyType: 'value'
  })
  const sequence = stored({ body: { kind: 'sequence', sections: [[{ type: 'int', value: 1 }], []] } })
  t.match(readableMessage(sequence, 'json'), {
    body: exactly(exactly(1), exactly()),
    bodyEncoding: 'json',
    bodyType: 'sequence'
  })
  const none = entry(Buffer.from('00537345', 'hex'))
  t.match(readableMessage(none, 'auto'), { body: null, bodyEncoding: 'json', bodyType: 'value' })
})

t.test('several data sections are one body', async (t) => {
  t.equal(
    bodyPart(entry(Buffer.from('005375a0015b005375a00231 5d'.replaceAll(' ', ''), 'hex')), 'json'),
    '[1],"bodyEncoding":"json"'
  )
})

t.test('what is no message, or cannot be unpacked, is returned whole', async t => {
  for (const encoding of ENCODINGS) {
    t.same(readableMessage(entry(Buffer.from('hello')), encoding), {
      offset: 7, timestamp: '2025-01-31T12:00:00.000Z', body: 'aGVsbG8=', bodyEncoding: 'base64', format: 'unknown'
    })
    t.same(readableMessage(unreadable, encoding), {
      offset: 8,
      timestamp: '2025-01-31T12:00:00.000Z',
      body: 'cGFja2Vk',
      bodyEncoding: 'base64',
      format: 'unreadable',
      records: 100,
      compression: 'zstd',
      reason: 'the "batch" is damaged'
    })
  }
  for (const message of [entry(Buffer.from('hello')), entry(Buffer.alloc(0)), unreadable]) {
    const read = readableMessage(message, 'auto')
    t.ok(isMessageRead(read), JSON.stringify(isMessageRead.errors))
    t.same(written(read).message.body, message.bytes)
  }
})
