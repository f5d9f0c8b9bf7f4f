import { corrupt, Output } from './output.ts'

const FRAME_MAGIC = 0x184d2204
const SKIPPABLE_MAGIC = 0x184d2a50
const VERSION = 1
const RAW_BLOCK_BIT = 0x8000_0000
const MIN_MATCH_BYTES = 4

/**
 * Expands LZ4 frames, which is what the Java, Go and .NET clients write (not bare LZ4 blocks).
 *
 * Frame => Magic uint32, Flags uint8, BlockDescriptor uint8, [ContentSize uint64], HeaderChecksum uint8,
 *          [Block], EndMark uint32 (0), [ContentChecksum uint32]
 *   Block => Size uint32 // highest bit: stored without compression
 *            Data, [BlockChecksum uint32]
 *
 * All numbers are little endian. The checksums are not verified: the checksum of the chunk covers the same bytes and
 * has been verified already. Source: lz4_Frame_format.md and lz4_Block_format.md of the LZ4 project.
 */
export function expandLz4 (bytes: Uint8Array, length: number): Buffer {
  const input = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const output = new Output(length)
  let position = 0
  while (position < input.length) position = expandFrame(input, position, output)
  return output.finish()
}

function expandFrame (input: Buffer, start: number, output: Output): number {
  const magic = u32(input, start)
  // `& ~0xf` would make a signed number of it.
  if (magic - (magic % 16) === SKIPPABLE_MAGIC) return start + 8 + u32(input, start + 4)
  if (magic !== FRAME_MAGIC) throw corrupt('is not an LZ4 frame')
  const flags = input[start + 4] ?? 0
  if (flags >> 6 !== VERSION) throw corrupt('is an LZ4 frame of an unknown version')
  const hasDictionary = (flags & 0x01) !== 0
  const hasContentChecksum = (flags & 0x04) !== 0
  const hasContentSize = (flags & 0x08) !== 0
  const hasBlockChecksums = (flags & 0x10) !== 0
  if (hasDictionary) throw corrupt('needs a dictionary')

  let position = start + 7 + (hasContentSize ? 8 : 0)
  for (;;) {
    const size = u32(input, position)
    position += 4
    if (size === 0) return position + (hasContentChecksum ? 4 : 0)
    const end = position + size % RAW_BLOCK_BIT
    if (end > input.length) throw corrupt('ends inside an LZ4 block')
    if (size >= RAW_BLOCK_BIT) output.literal(input, position, end - position)
    else expandBlock(input, position, end, output)
    position = end + (hasBlockChecksums ? 4 : 0)
  }
}

// Block => [Sequence]
//   Sequence => Token uint8 // literal length, match length - 4, four bits each; 15 continues in the next bytes
//               Literals, Distance uint16
// The last sequence ends with its literals.
function expandBlock (input: Buffer, start: number, end: number, output: Output): void {
  let position = start
  const readLength = (bits: number): number => {
    let length = bits
    if (bits < 15) return length
    for (;;) {
      const more = input[position++]
      if (more === undefined || position > end) throw corrupt('ends inside an LZ4 length')
      length += more
      if (more < 255) return length
    }
  }
  while (position < end) {
    const token = input[position++] ?? 0
    const literalLength = readLength(token >> 4)
    output.literal(input, position, literalLength)
    position += literalLength
    if (position === end) return
    if (position + 2 > end) throw corrupt('ends inside an LZ4 sequence')
    const distance = input.readUInt16LE(position)
    position += 2
    output.match(distance, readLength(token & 0xf) + MIN_MATCH_BYTES)
  }
  throw corrupt('ends with an LZ4 match instead of literals')
}

function u32 (input: Buffer, position: number): number {
  if (position + 4 > input.length) throw corrupt('ends inside an LZ4 frame')
  return input.readUInt32LE(position)
}
