import { dataSectionHeaderLength, encodedLength, encodeMessage, writeDataSectionHeader } from './amqp/index.ts'
import type { OutgoingMessage } from './amqp/index.ts'
import { PUBLISH_ENTRY_OVERHEAD_BYTES } from './protocol/index.ts'

const INITIAL_BYTES = 1024
// Where it starts, its publishing id, its outcome.
const NOTE_BYTES = 17

/**
 * Several messages, encoded once into the very bytes that a publish frame carries: `(PublishingId u64, Size u32, AMQP
 * message)*`. A publisher numbers them in place and cuts the run into frames, copying nothing.
 */
export class MessageBatch {
  #buffer: Buffer
  #end = 0
  readonly #starts: number[] = []
  #publishingIds: number[] | undefined

  /** @param expectedBytes encoded size, if it can be guessed: saves growing */
  constructor (expectedBytes = INITIAL_BYTES) {
    this.#buffer = Buffer.allocUnsafe(expectedBytes)
  }

  /** Number of messages. */
  get count (): number {
    return this.#starts.length
  }

  /** Encoded size with the entries' headers, bytes. */
  get byteLength (): number {
    return this.#end
  }

  /** Memory it takes: the buffer, and what is noted of each message. */
  get heldBytes (): number {
    return this.#buffer.length + this.#starts.length * NOTE_BYTES
  }

  /** The callers' ids, one for each message, ascending; undefined when the publisher is to number them. */
  get publishingIds (): readonly number[] | undefined {
    return this.#publishingIds
  }

  /**
   * Encodes a message.
   *
   * @param publishingId 0 to 2^53-1, higher than the one before; on every message of the batch or on none
   * @throws RangeError when that is not so
   */
  add (message: OutgoingMessage, publishingId?: number): void {
    this.#number(publishingId)
    const at = this.#startEntry(encodedLength(message))
    encodeMessage(message, this.#buffer, at)
  }

  /** The short way for bytes without properties: one data section. The bytes are copied. */
  addData (body: Uint8Array, publishingId?: number): void {
    this.#number(publishingId)
    const at = this.#startEntry(dataSectionHeaderLength(body.length) + body.length)
    this.#buffer.set(body, writeDataSectionHeader(this.#buffer, at, body.length))
  }

  /** Encoded size of one message with its entry header. */
  entryLength (index: number): number {
    return this.#startOf(index + 1) - this.#startOf(index)
  }

  /**
   * The messages from `from` up to but not with `to`, as they go into a frame. A view: not to be touched until it is
   * written.
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

  // Makes room and writes the entry's header; returns where the message goes.
  #startEntry (length: number): number {
    const start = this.#end
    const end = start + PUBLISH_ENTRY_OVERHEAD_BYTES + length
    if (end > this.#buffer.length) this.#grow(end)
    this.#starts.push(start)
    this.#writeId(start, this.#publishingIds?.at(-1) ?? 0)
    this.#buffer.writeUInt32BE(length, start + 8)
    this.#end = end
    return start + PUBLISH_ENTRY_OVERHEAD_BYTES
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
