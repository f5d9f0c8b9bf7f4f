import type { Lease } from '../common/lease.ts'
import { MessageBatch } from '../message-batch.ts'
import type { Entries } from '../entries.ts'
import { PUBLISHING_ID_BYTES, type Compression } from '../protocol/index.ts'
import type { Compressor } from './compressor.ts'
import { SubEntry } from './sub-entry.ts'

// What native clients read at once: they expand a batch as a whole.
const MAX_MESSAGES = 1000
const MAX_BYTES = 256 * 1024
const SIZE_BYTES = 4

/** Messages that become one entry. */
export class Pack {
  /** Holds the memory of the messages. */
  readonly lease: Lease
  readonly #parts: Buffer[] = []
  #count = 0
  #byteLength = 0

  constructor (lease: Lease) {
    this.lease = lease
  }

  get count (): number {
    return this.#count
  }

  /**
   * The index after the messages of the batch, from this one on, that fit beside those that are here already. A message
   * that is too large for that fits into an empty pack, alone.
   *
   * @param maxBytes bounds the pack beside the bound that all packs have: what fits into a frame
   */
  fits (batch: MessageBatch, from: number, maxBytes: number): number {
    const most = Math.min(batch.count, from + MAX_MESSAGES - this.#count)
    let room = Math.min(maxBytes, MAX_BYTES) - this.#byteLength
    let to = from
    while (to < most && (room -= batch.entryLength(to)) >= 0) to++
    return to === from && this.#count === 0 ? from + 1 : to
  }

  /** Adds messages, as many as fit: see `fits`. */
  add (batch: MessageBatch, from: number, to: number): void {
    const records = batch.records(from, to)
    this.#parts.push(records)
    this.#count += to - from
    this.#byteLength += records.length
  }

  /**
   * Makes the entry. Messages that do not become smaller are entries of their own, as without compression: every client
   * reads these, and each fits into a frame.
   *
   * @throws StreamsError, see `Compressor.compress`
   */
  async entries (
    compression: Compression, compressor: Compressor, signal: AbortSignal | undefined
  ): Promise<Entries> {
    const [only] = this.#parts
    const records = only !== undefined && this.#parts.length === 1 ? only : Buffer.concat(this.#parts)
    this.#parts.length = 0
    const compressed = await compressor.compress(compression, records, signal)
    const entry = new SubEntry(compression, this.#count, records.length, compressed)
    return entry.byteLength < records.length + this.#count * PUBLISHING_ID_BYTES
      ? entry
      : batchOf(records, this.#count)
  }
}

function batchOf (records: Buffer, count: number): MessageBatch {
  const batch = new MessageBatch(records.length + count * PUBLISHING_ID_BYTES)
  for (let at = 0; at < records.length;) {
    const end = at + SIZE_BYTES + records.readUInt32BE(at)
    batch.addEncoded(records.subarray(at + SIZE_BYTES, end))
    at = end
  }
  return batch
}
