import { createRequire } from 'node:module'
import type { AmqpValue } from '../../../src/streams/amqp/index.ts'

// The implementation that ours is checked against. Its reader and writer of single values have no types.
const types = createRequire(import.meta.url)('rhea/lib/types.js')

/** The bytes that rhea writes for a value. */
export function peerEncode (value: AmqpValue): Buffer {
  const writer = new types.Writer()
  writer.write(toPeer(value))
  return Buffer.from(writer.toBuffer())
}

/** The value that rhea reads from the bytes, which must hold one value and nothing else. */
export function peerDecode (bytes: Buffer): AmqpValue {
  const reader = new types.Reader(bytes)
  const value = fromPeer(reader.read())
  if (reader.remaining() !== 0) throw new Error(`rhea left ${reader.remaining()} bytes`)
  return value
}

interface PeerValue {
  readonly type: { readonly typecode: number }
  readonly value: unknown
  readonly descriptor?: PeerValue
}

function toPeer (value: AmqpValue): unknown {
  switch (value.type) {
    case 'null': return types.Null()
    case 'boolean': return types.wrap_boolean(value.value)
    case 'ulong': return types.wrap_ulong(bigBytes(value.value))
    case 'long': return types.wrap_long(bigBytes(value.value))
    case 'timestamp': return types.Timestamp(bigBytes(value.value))
    case 'decimal32': return types.Decimal32(value.value)
    case 'decimal64': return types.Decimal64(value.value)
    case 'decimal128': return types.Decimal128(value.value)
    case 'uuid': return types.Uuid(uuidBytes(value.value))
    case 'list': return value.value.length === 0 ? types.List0() : types.List32(value.value.map(toPeer))
    case 'map': return types.Map32(value.value.flatMap(([key, element]) => [toPeer(key), toPeer(element)]))
    case 'array': return types.Array32(value.value.map(rawElement), elementCode(value.value))
    case 'described': return types.described(toPeer(value.descriptor), toPeer(value.value))
    default: return types[`wrap_${value.type}`](value.value)
  }
}

const ELEMENT_CODES: Readonly<Record<string, number>> = {
  null: 0x40,
  boolean: 0x56,
  ubyte: 0x50,
  ushort: 0x60,
  uint: 0x70,
  ulong: 0x80,
  byte: 0x51,
  short: 0x61,
  int: 0x71,
  long: 0x81,
  float: 0x72,
  double: 0x82,
  decimal32: 0x74,
  decimal64: 0x84,
  decimal128: 0x94,
  char: 0x73,
  timestamp: 0x83,
  uuid: 0x98,
  binary: 0xb0,
  string: 0xb1,
  symbol: 0xb3
}

function elementCode (values: readonly AmqpValue[]): number {
  return ELEMENT_CODES[values[0]?.type ?? 'null'] ?? 0
}

/** rhea takes the elements of an array as plain values. */
function rawElement (value: AmqpValue): unknown {
  switch (value.type) {
    case 'ulong': case 'long': case 'timestamp': return bigBytes(value.value)
    case 'uuid': return uuidBytes(value.value)
    case 'boolean': return value.value ? 1 : 0
    case 'null': case 'described': return null
    default: return value.value
  }
}

function fromPeer (peer: PeerValue): AmqpValue {
  const value = fromPeerUndescribed(peer)
  return peer.descriptor === undefined ? value : { type: 'described', descriptor: fromPeer(peer.descriptor), value }
}

function fromPeerUndescribed ({ type: { typecode }, value }: PeerValue): AmqpValue {
  switch (typecode) {
    case 0x40: return { type: 'null' }
    case 0x41: case 0x42: case 0x56: return { type: 'boolean', value: Boolean(value) }
    case 0x50: return { type: 'ubyte', value: Number(value) }
    case 0x60: return { type: 'ushort', value: Number(value) }
    case 0x70: case 0x52: case 0x43: return { type: 'uint', value: Number(value) }
    case 0x80: case 0x53: case 0x44:
      return { type: 'ulong', value: value instanceof Buffer ? value.readBigUInt64BE() : BigInt(Number(value)) }
    case 0x51: return { type: 'byte', value: Number(value) }
    case 0x61: return { type: 'short', value: Number(value) }
    case 0x71: case 0x54: return { type: 'int', value: Number(value) }
    case 0x81: case 0x55:
      return { type: 'long', value: value instanceof Buffer ? value.readBigInt64BE() : BigInt(Number(value)) }
    case 0x72: return { type: 'float', value: Number(value) }
    case 0x82: return { type: 'double', value: Number(value) }
    case 0x74: return { type: 'decimal32', value: bytesOf(value) }
    case 0x84: return { type: 'decimal64', value: bytesOf(value) }
    case 0x94: return { type: 'decimal128', value: bytesOf(value) }
    case 0x73: return { type: 'char', value: Number(value) }
    case 0x83: return { type: 'timestamp', value: BigInt(Number(value)) }
    case 0x98: return { type: 'uuid', value: uuidText(bytesOf(value)) }
    case 0xa0: case 0xb0: return { type: 'binary', value: bytesOf(value) }
    case 0xa1: case 0xb1: return { type: 'string', value: String(value) }
    case 0xa3: case 0xb3: return { type: 'symbol', value: String(value) }
    case 0x45: case 0xc0: case 0xd0: return { type: 'list', value: elementsOf(value).map(fromPeer) }
    case 0xe0: case 0xf0: return { type: 'array', value: elementsOf(value).map(fromPeer) }
    case 0xc1: case 0xd1: {
      const flat = elementsOf(value).map(fromPeer)
      const entries = flat.flatMap((key, index) => index % 2 === 0 ? [[key, flat[index + 1] ?? key] as const] : [])
      return { type: 'map', value: entries }
    }
    default: throw new Error(`rhea gave the type code ${typecode}`)
  }
}

function elementsOf (value: unknown): PeerValue[] {
  if (!Array.isArray(value)) throw new Error('rhea gave no elements')
  return value
}

function bytesOf (value: unknown): Buffer {
  if (!(value instanceof Buffer)) throw new Error('rhea gave no bytes')
  return value
}

function bigBytes (value: bigint): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value))
  return bytes
}

function uuidBytes (value: string): Buffer {
  return Buffer.from(value.replaceAll('-', ''), 'hex')
}

function uuidText (bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
