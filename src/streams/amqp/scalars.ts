import { CODE, fixedWidth } from './codes.ts'
import type { AmqpValue } from './value.ts'

/** A value that does not contain other values. */
export type AmqpScalar = Exclude<AmqpValue, { type: 'list' | 'array' | 'map' | 'described' }>

/**
 * The constructor of the smallest encoding. Only a uint always takes four bytes: rabbitmq-stream-js-client 1.0 reads
 * the group sequence as four bytes, whatever its constructor says, and then crashes on the remaining bytes.
 */
export function scalarCode (scalar: AmqpScalar): number {
  switch (scalar.type) {
    case 'null': return CODE.null
    case 'boolean': return scalar.value ? CODE.true : CODE.false
    case 'ulong': return scalar.value === 0n ? CODE.ulong0 : elementCode(scalar)
    default: return elementCode(scalar)
  }
}

/** The same for an element of an array, where a boolean takes a byte and zero has no constructor of its own. */
export function elementCode (scalar: AmqpScalar): number {
  switch (scalar.type) {
    case 'ulong': return scalar.value <= 0xffn ? CODE.smallUlong : CODE.ulong
    case 'int': return scalar.value >= -128 && scalar.value <= 127 ? CODE.smallInt : CODE.int
    case 'long': return scalar.value >= -128n && scalar.value <= 127n ? CODE.smallLong : CODE.long
    case 'binary': return scalar.value.length <= 0xff ? CODE.binary8 : CODE.binary32
    case 'string': return Buffer.byteLength(scalar.value) <= 0xff ? CODE.string8 : CODE.string32
    case 'symbol': return Buffer.byteLength(scalar.value) <= 0xff ? CODE.symbol8 : CODE.symbol32
    default: return CODE[scalar.type]
  }
}

/** The number of bytes that follow the constructor. */
export function scalarLength (code: number, scalar: AmqpScalar): number {
  return fixedWidth(code) ?? (code >>> 4 === 0xa ? 1 : 4) + contentLength(scalar)
}

/** Writes what follows the constructor. Returns the new position. */
export function writeScalar (code: number, scalar: AmqpScalar, target: Buffer, at: number): number {
  switch (scalar.type) {
    case 'null': return at
    case 'boolean': return code === CODE.boolean ? target.writeUInt8(scalar.value ? 1 : 0, at) : at
    case 'ubyte': return target.writeUInt8(scalar.value, at)
    case 'byte': return target.writeInt8(scalar.value, at)
    case 'ushort': return target.writeUInt16BE(scalar.value, at)
    case 'short': return target.writeInt16BE(scalar.value, at)
    case 'uint': return target.writeUInt32BE(scalar.value, at)
    case 'int':
      return code === CODE.smallInt ? target.writeInt8(scalar.value, at) : target.writeInt32BE(scalar.value, at)
    case 'ulong': return writeUlong(code, scalar.value, target, at)
    case 'long':
      if (code === CODE.smallLong) return target.writeInt8(Number(scalar.value), at)
      return target.writeBigInt64BE(scalar.value, at)
    case 'float': return target.writeFloatBE(scalar.value, at)
    case 'double': return target.writeDoubleBE(scalar.value, at)
    case 'char': return target.writeUInt32BE(scalar.value, at)
    case 'timestamp': return target.writeBigInt64BE(scalar.value, at)
    case 'decimal32': case 'decimal64': case 'decimal128':
      target.set(scalar.value, at)
      return at + scalar.value.length
    case 'uuid': return at + target.write(scalar.value.replaceAll('-', ''), at, 'hex')
    case 'binary': {
      const start = writeLength(code, scalar.value.length, target, at)
      target.set(scalar.value, start)
      return start + scalar.value.length
    }
    case 'string': case 'symbol': return writeText(code, scalar.value, target, at)
  }
}

function contentLength (scalar: AmqpScalar): number {
  if (scalar.type === 'binary') return scalar.value.length
  return scalar.type === 'string' || scalar.type === 'symbol' ? Buffer.byteLength(scalar.value) : 0
}

function writeUlong (code: number, value: bigint, target: Buffer, at: number): number {
  if (code === CODE.ulong0) return at
  return code === CODE.smallUlong ? target.writeUInt8(Number(value), at) : target.writeBigUInt64BE(value, at)
}

/** Leaves room for the length and writes the text first, because the length is known only then. */
function writeText (code: number, text: string, target: Buffer, at: number): number {
  const start = at + (code >>> 4 === 0xa ? 1 : 4)
  const length = target.write(text, start)
  writeLength(code, length, target, at)
  return start + length
}

function writeLength (code: number, length: number, target: Buffer, at: number): number {
  return code >>> 4 === 0xa ? target.writeUInt8(length, at) : target.writeUInt32BE(length, at)
}
