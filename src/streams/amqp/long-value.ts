import { CODE, SECTION } from './codes.ts'
import { AmqpDecodeError } from './decode-error.ts'
import { ValueReader } from './value-reader.ts'

/** A message whose body is one long string or binary at its end. */
export interface LongValue {
  /** The sections before the body. */
  readonly head: Buffer
  readonly type: 'string' | 'binary'
  /** The content; that of a string may not be UTF-8. */
  readonly content: Buffer
}

/**
 * Finds the body of a message without decoding it, when it is one long string or binary and the last section:
 * undefined for any other message. Many clients send texts like this, and decoding a long one takes long.
 */
export function longValueOf (bytes: Buffer): LongValue | undefined {
  try {
    return find(bytes)
  } catch (error) {
    if (error instanceof AmqpDecodeError) return undefined
    throw error
  }
}

function find (bytes: Buffer): LongValue | undefined {
  const reader = new ValueReader(bytes)
  while (!reader.isAtEnd) {
    const start = reader.position
    const section = reader.readSectionDescriptor()
    if (section === SECTION.amqpValue) return valueAt(bytes, start, reader.position)
    if (section === SECTION.data || section === SECTION.amqpSequence) return undefined
    reader.skipListOrMap()
  }
  return undefined
}

function valueAt (bytes: Buffer, start: number, at: number): LongValue | undefined {
  const code = bytes[at]
  if (code !== CODE.string32 && code !== CODE.binary32) return undefined
  if (at + 5 > bytes.length || bytes.readUInt32BE(at + 1) !== bytes.length - at - 5) return undefined
  return {
    head: bytes.subarray(0, start),
    type: code === CODE.string32 ? 'string' : 'binary',
    content: bytes.subarray(at + 5)
  }
}
