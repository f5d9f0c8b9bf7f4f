import { CODE, SECTION } from './codes.ts'

const SHORT = 0xff
// Described constructor, small ulong constructor, number of the section.
const DESCRIPTOR_LENGTH = 3

/**
 * The section of application properties of which all names and values are ASCII. The same bytes as `encodeMessage`
 * writes, several times as fast: every request that is traced makes such a section.
 */
export function asciiProperties (properties: ReadonlyArray<readonly [name: string, value: string]>): Buffer {
  let contentLength = 0
  for (const [name, value] of properties) contentLength += lengthOf(name) + lengthOf(value)
  // The size of a map includes its count, which is as wide as the size.
  const isShort = contentLength + 1 <= SHORT
  const section = Buffer.allocUnsafe(DESCRIPTOR_LENGTH + (isShort ? 3 : 9) + contentLength)
  section[0] = CODE.described
  section[1] = CODE.smallUlong
  section[2] = SECTION.applicationProperties
  let at = DESCRIPTOR_LENGTH + 1
  if (isShort) {
    section[DESCRIPTOR_LENGTH] = CODE.map8
    section[at++] = contentLength + 1
    section[at++] = properties.length * 2
  } else {
    section[DESCRIPTOR_LENGTH] = CODE.map32
    at = section.writeUInt32BE(contentLength + 4, at)
    at = section.writeUInt32BE(properties.length * 2, at)
  }
  for (const [name, value] of properties) at = write(value, section, write(name, section, at))
  return section
}

function lengthOf ({ length }: string): number {
  return (length <= SHORT ? 2 : 5) + length
}

function write (text: string, section: Buffer, at: number): number {
  const { length } = text
  let start: number
  if (length <= SHORT) {
    section[at] = CODE.string8
    section[at + 1] = length
    start = at + 2
  } else {
    section[at] = CODE.string32
    start = section.writeUInt32BE(length, at + 1)
  }
  return start + section.write(text, start, 'latin1')
}
