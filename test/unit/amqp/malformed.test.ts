import fc from 'fast-check'
import t from 'tap'
import {
  AmqpDecodeError, dataBodyOf, decodeMessage, encodedLength, encodeMessage
} from '../../../src/streams/amqp/index.ts'
import type { OutgoingMessage } from '../../../src/streams/amqp/index.ts'
import { anyValue, applicationProperties, bytes, properties } from './arbitraries.ts'

function encode (message: OutgoingMessage): Buffer {
  const target = Buffer.alloc(encodedLength(message))
  encodeMessage(message, target, 0)
  return target
}

/** Whether the entry decodes. Any error other than an AmqpDecodeError is thrown on. */
function isMessage (entry: Uint8Array, decode: (bytes: Uint8Array) => unknown = decodeMessage): boolean {
  try {
    decode(entry)
    return true
  } catch (error) {
    if (error instanceof AmqpDecodeError) return false
    throw error
  }
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const value = (text: string) => hex(`005377${text}`)

t.test('an entry that is not a message is refused', async t => {
  for (const text of ['', 'hello', '{"a":1}', 'Ss', '<xml/>', '\u0000', '\u0000Su', '\u0000S']) {
    t.notOk(isMessage(Buffer.from(text)), JSON.stringify(text))
  }
  t.notOk(isMessage(Buffer.alloc(0), dataBodyOf))
  t.notOk(isMessage(Buffer.from('hello'), dataBodyOf))
})

t.test('random bytes throw nothing but an AmqpDecodeError', async t => {
  const start = fc.constantFrom('', '005377', '005373', '005374', '005375a0', '0053770053')
  fc.assert(fc.property(start, fc.uint8Array({ maxLength: 60 }), (prefix, rest) => {
    const entry = Buffer.concat([hex(prefix), rest])
    isMessage(entry)
    isMessage(entry, dataBodyOf)
  }), { numRuns: 5000 })
  t.pass('nothing else was thrown')
})

t.test('a damaged message throws nothing but an AmqpDecodeError', async t => {
  const body = fc.oneof(bytes, anyValue.map(value => ({ kind: 'value' as const, value })))
  const message = fc.record({ properties, applicationProperties, body })
  fc.assert(fc.property(message, fc.nat(), fc.nat(255), (message, at, byte) => {
    const entry = encode(message)
    entry[at % entry.length] = byte
    isMessage(entry)
    isMessage(entry, dataBodyOf)
  }), { numRuns: 2000 })
  t.pass('nothing else was thrown')
})

t.test('a truncated message is not a message', async t => {
  const entry = encode({
    messageAnnotations: [[
      { type: 'symbol', value: 'x' },
      { type: 'map', value: [[{ type: 'int', value: 1 }, { type: 'list', value: [{ type: 'double', value: 0.5 }] }]] }
    ]],
    properties: { messageId: { type: 'ulong', value: 1n }, subject: 's' },
    body: { kind: 'value', value: { type: 'array', value: [{ type: 'string', value: 'abc' }] } }
  })
  t.ok(isMessage(entry))
  const sections = [0, entry.indexOf(hex('005373')), entry.indexOf(hex('005377'))]
  for (let length = 0; length < entry.length; length++) {
    t.equal(isMessage(entry.subarray(0, length)), length > 0 && sections.includes(length), `${length} bytes`)
  }
})

t.test('a few bytes cannot claim many elements', async t => {
  t.notOk(isMessage(value('d0 00000008 ffffffff 40404040')), 'a list')
  t.notOk(isMessage(value('d1 00000008 fffffffe 40404040')), 'a map')
  t.notOk(isMessage(value('f0 00000009 ffffffff 50 01020304')), 'an array of bytes')
  t.notOk(isMessage(value('f0 00000005 ffffffff 40')), 'an array of nulls')
  t.notOk(isMessage(value('f0 00000005 00000101 40')), 'an array of 257 nulls')
  t.ok(isMessage(value('f0 00000005 00000100 40')), 'an array of 256 nulls')
  t.ok(isMessage(value('d0 0000000c 00000002 e0 02 80 40 e0 02 80 40')), 'twice 128 nulls')
  t.notOk(isMessage(value('d0 0000000c 00000002 e0 02 80 40 e0 02 81 40')), 'one more')
})

t.test('an array cannot repeat a long descriptor many times', async t => {
  const array = (descriptorLength: number, count: number) => {
    const descriptor = Buffer.concat([hex('00b1'), lengthOf(descriptorLength), Buffer.alloc(descriptorLength, 0x61)])
    const content = Buffer.concat([lengthOf(count), descriptor, hex('50'), Buffer.alloc(count)])
    return Buffer.concat([value('f0'), lengthOf(content.length), content])
  }
  t.ok(isMessage(array(30, 1000)))
  t.notOk(isMessage(array(3000, 1000)))
})

t.test('sizes and counts must agree with the bytes', async t => {
  const cases: Array<[string, string]> = [
    ['c0 03 01 40', 'a list that is longer than the entry'],
    ['c0 03 01 40 40', 'a list with bytes left over'],
    ['c0 02 02 40', 'a list that counts too many'],
    ['c0 00', 'a list without room for its count'],
    ['c1 02 01 40', 'a map with a key and no value'],
    ['c0 04 01 a1 05 61 61616161', 'a string that reaches out of its list'],
    ['e0 02 00 99', 'an array of no type'],
    ['e0 03 01 00 40', 'an array that ends within its constructor'],
    ['56 02', 'a boolean of 2'],
    ['73 00110000', 'a char beyond Unicode'],
    ['a1 01 ff', 'a string that is not UTF-8'],
    ['3f', 'a constructor of no type'],
    ['40 40', 'a value and a byte'],
    ['00', 'a missing descriptor']
  ]
  for (const [bytes, what] of cases) t.notOk(isMessage(value(bytes)), what)
  t.ok(isMessage(value('a1 03 efbfbd')), 'U+FFFD itself is a valid character')
  t.ok(isMessage(value('e0 01 00')), 'an array without elements needs no constructor')
})

t.test('sections must fit together', async t => {
  const data = '005375a00161'
  const cases: Array<[string, string]> = [
    [`${data}00537740`, 'data and a value'],
    [`${data}00537645`, 'data and a sequence'],
    ['0053774000537740', 'two values'],
    ['00537345005373450053', 'a section that ends early'],
    [`0053734500537345${data}`, 'properties twice'],
    [`005374c10100005374c10100${data}`, 'application properties twice'],
    ['005375a10161', 'data that is a string'],
    ['00537440', 'application properties that are null'],
    ['005373c10100', 'properties that are a map'],
    ['005374 45', 'application properties that are a list'],
    ['00537940', 'an unknown section'],
    ['00a30161 40', 'an unknown symbol'],
    [`005373 c0 0f 0e ${'40'.repeat(14)}`, 'fourteen properties'],
    ['005373 c0 04 02 40 41', 'a user id that is a boolean'],
    ['005373 c0 06 04 40 40 40 52 01', 'a subject that is a number'],
    ['005373 c0 02 01 45', 'a message id that is a list']
  ]
  for (const [bytes, what] of cases) t.notOk(isMessage(hex(bytes)), what)
  t.notOk(isMessage(hex(`${data}00537740`), dataBodyOf))
  t.notOk(isMessage(hex(`005374a00161${data}`), dataBodyOf), 'the fast path checks the type of a section')
  t.ok(isMessage(hex(`005374c10140${data}`), dataBodyOf), 'but not its content')
})

function lengthOf (length: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(length)
  return bytes
}
