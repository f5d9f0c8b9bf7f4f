import type { Entries } from '../entries.ts'
import {
  compressionNames, SUB_ENTRY_OVERHEAD_BYTES, PUBLISHING_ID_BYTES, writeSubEntryHeader, type Compression
} from '../protocol/index.ts'

// For each message: what is kept of its outcome should it fail.
const NOTE_BYTES = 16

/** A sub-entry batch: several messages, compressed into one entry, which has one publishing id and one confirm. */
export class SubEntry implements Entries {
  readonly count = 1
  readonly messagesPerEntry: number
  readonly publishingIds = undefined
  readonly hasFilterValues = false
  readonly #bytes: Buffer

  /**
   * @param compressed the records `(Size u32, AMQP message)*`; copied
   * @param uncompressedLength their size before, bytes
   */
  constructor (compression: Compression, messageCount: number, uncompressedLength: number, compressed: Uint8Array) {
    this.messagesPerEntry = messageCount
    this.#bytes = Buffer.allocUnsafe(SUB_ENTRY_OVERHEAD_BYTES + compressed.length)
    const at = writeSubEntryHeader(this.#bytes, PUBLISHING_ID_BYTES, {
      compression: compressionNames.indexOf(compression),
      messageCount,
      uncompressedLength,
      length: compressed.length
    })
    this.#bytes.set(compressed, at)
  }

  get byteLength (): number {
    return this.#bytes.length
  }

  get heldBytes (): number {
    return this.#bytes.length + this.messagesPerEntry * NOTE_BYTES
  }

  // Publish v2 has no sub-entry batches.
  versionOf (): 1 {
    return 1
  }

  versionEnd (): number {
    return 1
  }

  entryLength (): number {
    return this.#bytes.length
  }

  entries (): Buffer {
    return this.#bytes
  }

  numberFrom (firstId: number): void {
    this.#bytes.writeBigUInt64BE(BigInt(firstId), 0)
  }
}
