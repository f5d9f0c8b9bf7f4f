import fc from 'fast-check'
import type { AmqpHeader, AmqpMap, AmqpProperties, AmqpValue } from '../../../src/streams/amqp/index.ts'

// Generated AMQP values for the tests of the codec and of the mapping to JSON.

/** Any text that UTF-8 can encode. */
export const unicodeText = fc.string({ unit: 'binary', maxLength: 300 })
const shortText = fc.string({ unit: 'grapheme', maxLength: 12 })
const asciiText = fc.string({ unit: 'grapheme-ascii', maxLength: 12 })
export const bytes = fc.uint8Array({ maxLength: 300 }).map(values => Buffer.from(values))
const bytesOf = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map(values => Buffer.from(values))

const arbitraryByType = {
  null: fc.constant({ type: 'null' as const }),
  boolean: fc.boolean().map(value => ({ type: 'boolean' as const, value })),
  ubyte: fc.integer({ min: 0, max: 0xff }).map(value => ({ type: 'ubyte' as const, value })),
  ushort: fc.integer({ min: 0, max: 0xffff }).map(value => ({ type: 'ushort' as const, value })),
  uint: fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 0xffff_ffff }))
    .map(value => ({ type: 'uint' as const, value })),
  ulong: fc.oneof(fc.bigInt(0n, 300n), fc.bigInt(0n, 2n ** 64n - 1n)).map(value => ({ type: 'ulong' as const, value })),
  byte: fc.integer({ min: -0x80, max: 0x7f }).map(value => ({ type: 'byte' as const, value })),
  short: fc.integer({ min: -0x8000, max: 0x7fff }).map(value => ({ type: 'short' as const, value })),
  int: fc.oneof(fc.integer({ min: -200, max: 200 }), fc.integer()).map(value => ({ type: 'int' as const, value })),
  long: fc.oneof(fc.bigInt(-200n, 200n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))
    .map(value => ({ type: 'long' as const, value })),
  float: fc.float().map(value => ({ type: 'float' as const, value })),
  double: fc.double().map(value => ({ type: 'double' as const, value })),
  decimal32: bytesOf(4).map(value => ({ type: 'decimal32' as const, value })),
  decimal64: bytesOf(8).map(value => ({ type: 'decimal64' as const, value })),
  decimal128: bytesOf(16).map(value => ({ type: 'decimal128' as const, value })),
  char: fc.integer({ min: 0, max: 0x10ffff }).map(value => ({ type: 'char' as const, value })),
  timestamp: fc
    .oneof(fc.bigInt(-8_640_000_000_000_000n, 8_640_000_000_000_000n), fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n))
    .map(value => ({ type: 'timestamp' as const, value })),
  uuid: fc.uuid().map(value => ({ type: 'uuid' as const, value })),
  binary: bytes.map(value => ({ type: 'binary' as const, value })),
  string: fc.oneof(shortText, unicodeText).map(value => ({ type: 'string' as const, value })),
  symbol: asciiText.map(value => ({ type: 'symbol' as const, value }))
} satisfies Record<Exclude<AmqpValue['type'], 'list' | 'map' | 'array' | 'described'>, fc.Arbitrary<AmqpValue>>

export const scalarArbitraries: ReadonlyArray<fc.Arbitrary<AmqpValue>> = Object.values(arbitraryByType)
export const scalar: fc.Arbitrary<AmqpValue> = fc.oneof(...scalarArbitraries)
const descriptor: fc.Arbitrary<AmqpValue> = fc.oneof(arbitraryByType.ulong, arbitraryByType.symbol)

const uniqueEntries = (
  key: fc.Arbitrary<AmqpValue>, value: fc.Arbitrary<AmqpValue>, maxLength: number
): fc.Arbitrary<AmqpMap> =>
  fc.uniqueArray(fc.tuple(key, value), { maxLength, selector: ([entryKey]) => spell(entryKey) })

const arrayOf = (element: fc.Arbitrary<AmqpValue>): fc.Arbitrary<AmqpValue> =>
  fc.array(element, { maxLength: 5 }).map(value => ({ type: 'array' as const, value }))

/** Any value, also a nested one, and arrays of compound and described elements. */
export const anyValue: fc.Arbitrary<AmqpValue> = fc.letrec<
  { value: AmqpValue, list: AmqpValue, map: AmqpValue, array: AmqpValue, described: AmqpValue }
>(tie => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    scalar, tie('list'), tie('map'), tie('array'), tie('described')
  ),
  list: fc.array(tie('value'), { maxLength: 4 }).map(value => ({ type: 'list' as const, value })),
  map: uniqueEntries(scalar, tie('value'), 4).map(value => ({ type: 'map' as const, value })),
  array: fc.oneof(
    ...scalarArbitraries.map(arrayOf),
    arrayOf(tie('list')),
    arrayOf(tie('map')),
    arrayOf(tie('array')),
    fc.tuple(descriptor, fc.oneof(...scalarArbitraries.map(arrayOf), arrayOf(tie('list')))).map(([label, inner]) => ({
      type: 'array' as const,
      value: inner.type === 'array'
        ? inner.value.map(value => ({ type: 'described' as const, descriptor: label, value }))
        : []
    }))
  ),
  described: fc.tuple(tie('value'), tie('value'))
    .map(([label, value]) => ({ type: 'described' as const, descriptor: label, value }))
})).value

/** Values that rhea can both write and read: it knows one descriptor a value, and no described elements of arrays. */
export const peerValue: fc.Arbitrary<AmqpValue> = fc.letrec<
  { value: AmqpValue, plain: AmqpValue, list: AmqpValue, map: AmqpValue }
>(tie => ({
  value: fc.oneof(
    tie('plain'),
    fc.tuple(descriptor, tie('plain'))
      .map(([label, value]) => ({ type: 'described' as const, descriptor: label, value }))
  ),
  plain: fc.oneof({ maxDepth: 3 }, scalar, tie('list'), tie('map'), fc.oneof(...scalarArbitraries.map(arrayOf))),
  list: fc.array(tie('value'), { maxLength: 4 }).map(value => ({ type: 'list' as const, value })),
  map: uniqueEntries(scalar, tie('value'), 4).map(value => ({ type: 'map' as const, value }))
})).plain

export const applicationProperties: fc.Arbitrary<AmqpMap> = uniqueEntries(arbitraryByType.string, scalar, 6)
/** Message annotations, delivery annotations or a footer. */
export const annotations: fc.Arbitrary<AmqpMap> = uniqueEntries(
  fc.oneof({ weight: 5, arbitrary: arbitraryByType.symbol }, { weight: 1, arbitrary: arbitraryByType.ulong }),
  anyValue,
  4
)

const uint = fc.integer({ min: 0, max: 0xffff_ffff })
export const header: fc.Arbitrary<AmqpHeader> = fc.record({
  durable: fc.boolean(),
  priority: fc.integer({ min: 0, max: 0xff }),
  ttlMs: uint,
  firstAcquirer: fc.boolean(),
  deliveryCount: uint
}, { requiredKeys: [] })

const messageId: fc.Arbitrary<AmqpValue> = fc.oneof(
  arbitraryByType.string, arbitraryByType.ulong, arbitraryByType.uuid, arbitraryByType.binary
)
const time = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(0n, 4_000_000_000_000n))

export const properties: fc.Arbitrary<AmqpProperties> = fc.record({
  messageId,
  userId: bytes,
  to: arbitraryByType.string,
  subject: shortText,
  replyTo: arbitraryByType.string,
  correlationId: messageId,
  contentType: asciiText,
  contentEncoding: asciiText,
  absoluteExpiryTime: time,
  creationTime: time,
  groupId: shortText,
  groupSequence: uint,
  replyToGroupId: shortText
}, { requiredKeys: [] })

/** A text that is the same only for equal values. It distinguishes -0 from 0, and leaves out absent fields. */
export function spell (value: unknown): string {
  if (value instanceof Uint8Array) return `bytes(${Buffer.from(value).toString('hex')})`
  if (Array.isArray(value)) return `[${value.map(spell).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined)
    return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${spell(field)}`).join(',')}}`
  }
  if (typeof value === 'string') return JSON.stringify(value)
  return `${typeof value}(${Object.is(value, -0) ? '-0' : String(value)})`
}
