import { corrupt, Output } from './output.ts'

const ChunkType = { compressed: 0x00, uncompressed: 0x01, firstSkippable: 0x80 } as const
const CHECKSUM_BYTES = 4
const ElementType = { literal: 0, copyWithOneByte: 1, copyWithTwoBytes: 2, copyWithFourBytes: 3 } as const

/**
 * Expands the Snappy framing format, which is what the Java and Go clients write (not bare Snappy blocks).
 *
 * Stream => [Chunk]
 *   Chunk => Type uint8 // 0 compressed, 1 not compressed, 0xff "sNaPpY"; all others above 0x7f are skipped
 *            Length uint24, Data // for 0 and 1 it starts with a CRC-32C
 *
 * All numbers are little endian. The checksums are not verified: the checksum of the stream's chunk covers the same
 * bytes and has been verified already. Source: framing_format.txt and format_description.txt of the Snappy project.
 */
export function expandSnappy (bytes: Uint8Array, length: number): Buffer {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const output = new Output(length)
  let position = 0
  while (position < input.length) {
    if (position + 4 > input.length) throw corrupt('ends inside a Snappy chunk')
    const type = input.readUInt8(position)
    const start = position + 4
    position = start + input.readUIntLE(position + 1, 3)
    if (position > input.length) throw corrupt('ends inside a Snappy chunk')
    if (type >= ChunkType.firstSkippable) continue
    if (start + CHECKSUM_BYTES > position) throw corrupt('has a Snappy chunk without a checksum')
    if (type === ChunkType.uncompressed) {
      output.literal(input, start + CHECKSUM_BYTES, position - start - CHECKSUM_BYTES)
    } else if (type === ChunkType.compressed) expandBlock(input.subarray(start + CHECKSUM_BYTES, position), output)
    else throw corrupt(`has a Snappy chunk of the unknown type ${type}`)
  }
  return output.finish()
}

// Block => Length varint, [Element]
//   Element => Tag uint8 // the lower two bits are the type; the meaning of the others depends on it
function expandBlock (input: Buffer, output: Output): void {
  const { value: length, position: start } = readVarint(input)
  const end = output.length + length
  let position = start
  while (position < input.length) {
    const tag = input[position++] ?? 0
    switch (tag & 0x3) {
      case ElementType.literal: {
        const bits = tag >> 2
        // 60 to 63: the length follows in one to four bytes.
        const lengthBytes = Math.max(bits - 59, 0)
        const literalLength = (lengthBytes === 0 ? bits : uint(input, position, lengthBytes)) + 1
        position += lengthBytes
        output.literal(input, position, literalLength)
        position += literalLength
        break
      }
      case ElementType.copyWithOneByte:
        output.match((tag >> 5) * 256 + uint(input, position, 1), ((tag >> 2) & 0x7) + 4)
        position += 1
        break
      case ElementType.copyWithTwoBytes:
        output.match(uint(input, position, 2), (tag >> 2) + 1)
        position += 2
        break
      default:
        output.match(uint(input, position, 4), (tag >> 2) + 1)
        position += 4
    }
  }
  if (output.length !== end) throw corrupt('has a Snappy block whose length differs from the announced one')
}

function uint (input: Buffer, position: number, bytes: number): number {
  if (position + bytes > input.length) throw corrupt('ends inside a Snappy element')
  return input.readUIntLE(position, bytes)
}

function readVarint (input: Buffer): { value: number, position: number } {
  let value = 0
  for (let position = 0; position < 5; position++) {
    const byte = uint(input, position, 1)
    value += (byte & 0x7f) * 2 ** (7 * position)
    if (byte < 0x80) return { value, position: position + 1 }
  }
  throw corrupt('has a Snappy block of an impossible length')
}
