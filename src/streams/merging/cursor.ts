import { createHash } from 'node:crypto'
import { StreamsError } from '../errors.ts'
import { MAX_OFFSET } from '../offset.ts'

/** Where the next read of a super stream continues. */
export interface Cursor {
  /** Which partition comes first when not all have room in one answer: its index. */
  readonly turn: number
  readonly places: readonly Place[]
}

/** How far a partition is read. */
export interface Place {
  readonly key: PartitionKey
  readonly nextOffset: number
}

/** What a cursor knows of a partition: see `keyOf`. */
export type PartitionKey = string

const VERSION = 1
const CHECK_BYTES = 4
const MAX_VARINT_BYTES = 8
const HASH_BYTES = 6
// A longer end of a name is written as a hash.
const MAX_SUFFIX_BYTES = 24
const FIRST_INDEX_TAG = MAX_SUFFIX_BYTES + 1
const MAX_INDEX = 99_999
/** What fits into a request line or a header of any server in between, with room for the rest. */
const MAX_TEXT = 12 * 1024
const MAX_TURN = 99_999

/**
 * The text of a cursor: base64url of `Version Turn [Key NextOffset]... Check`. A key is a tag and what it announces:
 * nothing for a partition named `{super stream}-{index}`, the bytes after the `-` for another short name, else a hash
 * of the name. Numbers are varints. The check is a hash of all that and of the super stream's name.
 *
 * Every partition is known by its name and not by its order: one that is added or removed moves no other. 64 partitions
 * with numbers take less than 600 characters.
 */
export function encodeCursor (superStream: string, { turn, places }: Cursor): string {
  const room = places.reduce((sum, { key }) => sum + key.length + MAX_VARINT_BYTES, 1 + MAX_VARINT_BYTES + CHECK_BYTES)
  const bytes = Buffer.allocUnsafe(room)
  let end = writeVarint(bytes, turn, bytes.writeUInt8(VERSION))
  for (const { key, nextOffset } of places) {
    end = writeVarint(bytes, nextOffset, end + bytes.write(key, end, 'latin1'))
  }
  end += checkOf(superStream, bytes.subarray(0, end)).copy(bytes, end)
  return bytes.toString('base64url', 0, end)
}

/**
 * What makes, after the text of a cursor, the text of the same cursor with another place in one partition. Messages
 * that are written one after the other have the beginning in common.
 *
 * @param keyText see `keyTextOf`
 */
export function cursorSuffix (keyText: string, nextOffset: number): string {
  return `.${keyText}.${nextOffset}`
}

/** A key as it is in a `cursorSuffix`. */
export function keyTextOf (key: PartitionKey): string {
  return Buffer.from(key, 'latin1').toString('base64url')
}

/**
 * @throws StreamsError `cursor_invalid` for anything that `encodeCursor`, with or without `cursorSuffix`, has not
 *   written for this super stream
 */
export function decodeCursor (superStream: string, text: string): Cursor {
  const [cursorText = '', keyText, offsetText, ...more] = text.split('.')
  const cursor = decodeWhole(superStream, cursorText)
  if (keyText === undefined) return cursor
  const key = Buffer.from(keyText, 'base64url').toString('latin1')
  const nextOffset = /^(?:0|[1-9][0-9]{0,15})$/.test(offsetText ?? '') ? Number(offsetText) : Infinity
  const isOurs = more.length === 0 && nextOffset <= MAX_OFFSET && keyTextOf(key) === keyText &&
    cursor.places.some((place) => place.key === key)
  if (!isOurs) throw invalid()
  return { ...cursor, places: cursor.places.map((place) => place.key === key ? { key, nextOffset } : place) }
}

function decodeWhole (superStream: string, text: string): Cursor {
  const bytes = text.length > MAX_TEXT ? Buffer.alloc(0) : Buffer.from(text, 'base64url')
  const payload = bytes.subarray(0, -CHECK_BYTES)
  if (payload.length < 2 || bytes.toString('base64url') !== text) throw invalid()
  if (!checkOf(superStream, payload).equals(bytes.subarray(-CHECK_BYTES))) throw invalid()
  const reader = new PayloadReader(payload)
  if (reader.number(VERSION) !== VERSION) throw invalid()
  const turn = reader.number(MAX_TURN)
  const places = new Map<PartitionKey, Place>()
  while (!reader.isAtEnd) {
    const key = reader.key()
    if (places.has(key)) throw invalid()
    places.set(key, { key, nextOffset: reader.number(MAX_OFFSET) })
  }
  return { turn, places: [...places.values()] }
}

/** The key of a partition in the cursors of its super stream. */
export function keyOf (superStream: string, partition: string): PartitionKey {
  const suffix = suffixOf(superStream, partition)
  const index = suffix !== undefined && /^(?:0|[1-9][0-9]{0,4})$/.test(suffix) ? Number(suffix) : undefined
  if (index !== undefined) return varint(FIRST_INDEX_TAG + index).toString('latin1')
  const bytes = Buffer.from(suffix ?? '')
  const key = bytes.length === 0 || bytes.length > MAX_SUFFIX_BYTES
    ? Buffer.concat([Buffer.of(0), createHash('sha256').update(partition).digest().subarray(0, HASH_BYTES)])
    : Buffer.concat([varint(bytes.length), bytes])
  return key.toString('latin1')
}

/** The name of the partition; undefined when its key has only a hash of it. */
export function nameOf (superStream: string, key: PartitionKey): string | undefined {
  const reader = new PayloadReader(Buffer.from(key, 'latin1'))
  const tag = reader.number(FIRST_INDEX_TAG + MAX_INDEX)
  if (tag === 0) return undefined
  const suffix = tag < FIRST_INDEX_TAG ? reader.bytes(tag).toString() : String(tag - FIRST_INDEX_TAG)
  return `${superStream}-${suffix}`
}

function suffixOf (superStream: string, partition: string): string | undefined {
  return partition.startsWith(`${superStream}-`) ? partition.slice(superStream.length + 1) : undefined
}

class PayloadReader {
  readonly #bytes: Buffer
  #at = 0

  constructor (bytes: Buffer) {
    this.#bytes = bytes
  }

  get isAtEnd (): boolean {
    return this.#at === this.#bytes.length
  }

  /** A varint in its shortest form. */
  number (max: number): number {
    let value = 0
    for (let factor = 1; factor <= max; factor *= 128) {
      const [byte = 0] = this.bytes(1)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) {
        if (value > max || (byte === 0 && factor > 1)) break
        return value
      }
    }
    throw invalid()
  }

  key (): PartitionKey {
    const start = this.#at
    const tag = this.number(FIRST_INDEX_TAG + MAX_INDEX)
    if (tag === 0) this.bytes(HASH_BYTES)
    else if (tag < FIRST_INDEX_TAG) this.bytes(tag)
    return this.#bytes.toString('latin1', start, this.#at)
  }

  bytes (length: number): Buffer {
    const start = this.#at
    this.#at += length
    if (this.#at > this.#bytes.length) throw invalid()
    return this.#bytes.subarray(start, this.#at)
  }
}

function varint (value: number): Buffer {
  const bytes = Buffer.allocUnsafe(MAX_VARINT_BYTES)
  return bytes.subarray(0, writeVarint(bytes, value, 0))
}

/** Returns the position after it. */
function writeVarint (bytes: Buffer, value: number, at: number): number {
  let end = at
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[end++] = (rest % 128) | 0x80
  bytes[end++] = rest
  return end
}

function checkOf (superStream: string, payload: Buffer): Buffer {
  return createHash('sha256').update(superStream).update('\0').update(payload).digest().subarray(0, CHECK_BYTES)
}

function invalid (): StreamsError {
  const message = 'the cursor is not one of this super stream: pass nextCursor of an answer unchanged, or start anew'
  return new StreamsError('cursor_invalid', message)
}
