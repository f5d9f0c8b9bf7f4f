import { CODE } from './codes.ts'
import { AmqpDecodeError } from './decode-error.ts'
import type { AmqpValue } from './value.ts'

const NULL: AmqpValue = { type: 'null' }
const TRUE: AmqpValue = { type: 'boolean', value: true }
const FALSE: AmqpValue = { type: 'boolean', value: false }
const UINT_0: AmqpValue = { type: 'uint', value: 0 }
const ULONG_0: AmqpValue = { type: 'ulong', value: 0n }

/**
 * Reads a value whose constructor determines its width, which is `FEWEST_BYTES`. The caller has checked that these
 * bytes are there.
 *
 * @param at where the value begins, after its constructor
 * @throws AmqpDecodeError
 */
export function readFixedWidth (code: number, bytes: Buffer, at: number): AmqpValue {
  switch (code) {
    case CODE.null: return NULL
    case CODE.true: return TRUE
    case CODE.false: return FALSE
    case CODE.boolean: return readBoolean(bytes, at)
    case CODE.uint0: return UINT_0
    case CODE.ulong0: return ULONG_0
    case CODE.ubyte: return { type: 'ubyte', value: bytes.readUInt8(at) }
    case CODE.byte: return { type: 'byte', value: bytes.readInt8(at) }
    case CODE.smallUint: return { type: 'uint', value: bytes.readUInt8(at) }
    case CODE.smallUlong: return { type: 'ulong', value: BigInt(bytes.readUInt8(at)) }
    case CODE.smallInt: return { type: 'int', value: bytes.readInt8(at) }
    case CODE.smallLong: return { type: 'long', value: BigInt(bytes.readInt8(at)) }
    case CODE.ushort: return { type: 'ushort', value: bytes.readUInt16BE(at) }
    case CODE.short: return { type: 'short', value: bytes.readInt16BE(at) }
    case CODE.uint: return { type: 'uint', value: bytes.readUInt32BE(at) }
    case CODE.int: return { type: 'int', value: bytes.readInt32BE(at) }
    case CODE.float: return { type: 'float', value: bytes.readFloatBE(at) }
    case CODE.char: return readChar(bytes, at)
    case CODE.decimal32: return { type: 'decimal32', value: bytes.subarray(at, at + 4) }
    case CODE.ulong: return { type: 'ulong', value: bytes.readBigUInt64BE(at) }
    case CODE.long: return { type: 'long', value: bytes.readBigInt64BE(at) }
    case CODE.double: return { type: 'double', value: bytes.readDoubleBE(at) }
    case CODE.timestamp: return { type: 'timestamp', value: bytes.readBigInt64BE(at) }
    case CODE.decimal64: return { type: 'decimal64', value: bytes.subarray(at, at + 8) }
    case CODE.decimal128: return { type: 'decimal128', value: bytes.subarray(at, at + 16) }
    case CODE.uuid: return readUuid(bytes, at)
    default: throw new AmqpDecodeError(`no type has the constructor 0x${code.toString(16)}`)
  }
}

function readBoolean (bytes: Buffer, at: number): AmqpValue {
  const byte = bytes.readUInt8(at)
  if (byte > 1) throw new AmqpDecodeError('a boolean is neither 0 nor 1')
  return byte === 1 ? TRUE : FALSE
}

function readChar (bytes: Buffer, at: number): AmqpValue {
  const value = bytes.readUInt32BE(at)
  if (value > 0x10ffff) throw new AmqpDecodeError('a char is not a Unicode code point')
  return { type: 'char', value }
}

function readUuid (bytes: Buffer, at: number): AmqpValue {
  const hex = bytes.toString('hex', at, at + 16)
  const value = `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  return { type: 'uuid', value }
}
