import { dataSectionHeaderLength, encodedLength, encodeMessage, writeDataSectionHeader } from './amqp/index.ts'
import type { OutgoingMessage } from './amqp/index.ts'
import type { Entries } from './entries.ts'
import {
  FILTER_VALUE_LENGTH_BYTES, NO_FILTER_VALUE, PUBLISH_ENTRY_OVERHEAD_BYTES, PUBLISHING_ID_BYTES, type PublishVersion
} from './protocol/index.ts'

const INITIAL_BYTES = 1024
const NO_SECTIONS = Buffer.alloc(0)
// For each message: where it starts, its publishing id, its outcome.
const NOTE_BYTES = 17

/** The encoded sections before the body, for messages that all have the same. */
export function sectionsOf (message: Omit<OutgoingMessage, 'body'>): Buffer {
  const encoded = { ...message, body: NO_SECTIONS }
  const bytes = Buffer.alloc(encodedLength(encoded))
  encodeMessage(encoded, bytes, 0)
  return bytes.subarray(0, bytes.length - dataSectionHeaderLength(0))
}

/**
 * Several messages, encoded once into the bytes that a publish frame carries:
 * `(PublishingId u64, Size u32, AMQP message)*`. A publisher numbers them in place and cuts them into frames without
 * copying. From the first message with a filter value on, the entries are those of Publish v2, which have the filter
 * value, or its absence, before the size.
 */
export class MessageBatch implements Entries {
  /** What is kept of a message beside its bytes. */
  static readonly noteBytes = NOTE_BYTES

  readonly messagesPerEntry = 1
  #buffer: Buffer
  #end = 0
  readonly #starts: number[] = []
  #publishingIds: number[] | undefined
  // The index of the first entry of Publish v2.
  #filteredFrom: number | undefined
  #routingKeys: Array<string | undefined> | undefined

  /** @param expectedBytes the encoded size, if it can be estimated: the buffer then need not grow */
  constructor (expectedBytes = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes)
  }

  /** The number of messages. */
  get count (): number {
    return this.#starts.length
  }

  /** The encoded size with the headers of the entries, bytes. */
  get byteLength (): number {
    return this.#end
  }

  /** The memory it takes: the buffer, and the notes on each message. */
  get heldBytes (): number {
    return this.#buffer.length + this.#starts.length * NOTE_BYTES
  }

  /** The caller's publishing ids, ascending, one for each message; undefined when the publisher assigns them. */
  get publishingIds (): readonly number[] | undefined {
    return this.#publishingIds
  }

  /** Whether a message has a filter value. */
  get hasFilterValues (): boolean {
    return this.#filteredFrom !== undefined
  }

  /** The version of the frame that the entry of a message goes into. */
  versionOf (index: number): PublishVersion {
    return this.#filteredFrom !== undefined && index >= this.#filteredFrom ? 2 : 1
  }

  /** The index after the messages, from this one on, that go into a frame of the same version. */
  versionEnd (index: number): number {
    return this.#filteredFrom !== undefined && index < this.#filteredFrom ? this.#filteredFrom : this.count
  }

  /**
   * Encodes a message.
   *
   * @param publishingId 0 to 2^53 - 1, higher than the previous one; for every message of the batch or for none
   * @param filterValue what the broker notes for its chunk: 1 to 255 bytes of UTF-8
   * @throws RangeError when the publishing id breaks this rule
   */
  add (message: OutgoingMessage, publishingId?: number, filterValue?: Uint8Array): void {
    this.#number(publishingId)
    const at = this.#startEntry(encodedLength(message), filterValue)
    encodeMessage(message, this.#buffer, at)
  }

  /**
   * Encodes bytes as one data section, which is faster. The bytes are copied.
   *
   * @param sections what `sectionsOf` has made: the sections before the body
   */
  addData (
    body: Uint8Array, publishingId?: number, sections: Uint8Array = NO_SECTIONS, filterValue?: Uint8Array
  ): void {
    this.#number(publishingId)
    const at = this.#startEntry(sections.length + dataSectionHeaderLength(body.length) + body.length, filterValue)
    if (sections.length > 0) this.#buffer.set(sections, at)
    this.#buffer.set(body, writeDataSectionHeader(this.#buffer, at + sections.length, body.length))
  }

  /** Gives the last message a routing key of its own, by which its partition of a super stream is found. */
  routeLast (routingKey: string): void {
    this.#routingKeys ??= []
    this.#routingKeys[this.#starts.length - 1] = routingKey
  }

  /** Whether a message has a routing key of its own. */
  get hasRoutingKeys (): boolean {
    return this.#routingKeys !== undefined
  }

  /** The routing key of a message; undefined when it has no key of its own. */
  routingKeyOf (index: number): string | undefined {
    return this.#routingKeys?.[index]
  }

  /** Adds a message of another batch as it is there. Messages of one batch come in their order. */
  addCopy (from: MessageBatch, index: number): void {
    this.#number(from.#publishingIds?.[index])
    if (from.versionOf(index) === 2) this.#filteredFrom ??= this.#starts.length
    const start = from.#startOf(index)
    const end = from.#startOf(index + 1)
    const needed = this.#end + end - start
    if (needed > this.#buffer.length) this.#grow(needed)
    this.#starts.push(this.#end)
    from.#buffer.copy(this.#buffer, this.#end, start, end)
    this.#end = needed
    const key = from.routingKeyOf(index)
    if (key !== undefined) this.routeLast(key)
  }

  /** Lets go of the bytes: the batch must not be used afterwards. */
  clear (): void {
    this.#buffer = NO_SECTIONS
  }

  /** Adds a message that is encoded already, without a filter value. It is copied. */
  addEncoded (message: Uint8Array, publishingId?: number): void {
    this.#number(publishingId)
    this.#buffer.set(message, this.#startEntry(message.length, undefined))
  }

  /**
   * The messages from `from` up to but not including `to` as the records of a sub-entry batch: `(Size u32, AMQP
   * message)*`. A copy. The batch has no filter values.
   */
  records (from: number, to: number): Buffer {
    const length = this.#startOf(to) - this.#startOf(from) - (to - from) * PUBLISHING_ID_BYTES
    const records = Buffer.allocUnsafe(length)
    for (let index = from, at = 0; index < to; index++) {
      at += this.#buffer.copy(records, at, this.#startOf(index) + PUBLISHING_ID_BYTES, this.#startOf(index + 1))
    }
    return records
  }

  /** The encoded size of one message with the header of its entry. */
  entryLength (index: number): number {
    return this.#startOf(index + 1) - this.#startOf(index)
  }

  /**
   * The messages from `from` up to but not including `to`, as they go into a frame. A view, which must not change until
   * it is written.
   */
  entries (from: number, to: number): Buffer {
    return this.#buffer.subarray(this.#startOf(from), this.#startOf(to))
  }

  /** Writes the publishing ids `firstId`, `firstId + 1`, ... in place. */
  numberFrom (firstId: number): void {
    for (let index = 0; index < this.#starts.length; index++) this.#writeId(this.#startOf(index), firstId + index)
  }

  #startOf (index: number): number {
    return this.#starts[index] ?? this.#end
  }

  #number (publishingId: number | undefined): void {
    if ((publishingId !== undefined) !== (this.#publishingIds !== undefined) && this.#starts.length > 0) {
      throw new RangeError('either every message of a batch has a publishing id or none has')
    }
    if (publishingId === undefined) return
    this.#publishingIds ??= []
    const last = this.#publishingIds.at(-1)
    if (!Number.isSafeInteger(publishingId) || publishingId < 0 || (last !== undefined && publishingId <= last)) {
      throw new RangeError('publishing ids must be ascending integers from 0 to 2^53 - 1')
    }
    this.#publishingIds.push(publishingId)
  }

  // Makes room and writes the header of the entry. Returns where the message goes.
  #startEntry (length: number, filterValue: Uint8Array | undefined): number {
    if (filterValue !== undefined) this.#filteredFrom ??= this.#starts.length
    const start = this.#end
    const filterBytes = this.#filteredFrom === undefined ? 0 : FILTER_VALUE_LENGTH_BYTES + (filterValue?.length ?? 0)
    const end = start + PUBLISH_ENTRY_OVERHEAD_BYTES + filterBytes + length
    if (end > this.#buffer.length) this.#grow(end)
    this.#starts.push(start)
    this.#writeId(start, this.#publishingIds?.at(-1) ?? 0)
    if (filterBytes > 0) this.#writeFilterValue(start + PUBLISHING_ID_BYTES, filterValue)
    this.#buffer.writeUInt32BE(length, start + PUBLISHING_ID_BYTES + filterBytes)
    this.#end = end
    return end - length
  }

  #writeFilterValue (at: number, filterValue: Uint8Array | undefined): void {
    this.#buffer.writeUInt16BE(filterValue?.length ?? NO_FILTER_VALUE, at)
    if (filterValue !== undefined) this.#buffer.set(filterValue, at + FILTER_VALUE_LENGTH_BYTES)
  }

  #writeId (at: number, id: number): void {
    const high = Math.floor(id / 0x1_0000_0000)
    this.#buffer.writeUInt32BE(high, at)
    this.#buffer.writeUInt32BE(id - high * 0x1_0000_0000, at + 4)
  }

  #grow (atLeast: number): void {
    const larger = Buffer.allocUnsafe(Math.max(atLeast, this.#buffer.length * 2))
    this.#buffer.copy(larger, 0, 0, this.#end)
    this.#buffer = larger
  }
}
