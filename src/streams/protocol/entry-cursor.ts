import { ChunkError } from './errors.ts'

const SUB_BATCH_BIT = 0x80
const SIMPLE_HEADER_BYTES = 4
const SUB_BATCH_HEADER_BYTES = 11

/**
 * Walks the entries of a chunk without an object per entry: after `next`, the fields describe the current entry. An
 * entry whose body is not read costs no more than its header.
 *
 * SimpleEntry   => 0 (1 bit), Length (31 bits), Body
 * SubBatchEntry => 1 (1 bit), Compression (3 bits), Reserved (4 bits), RecordCount uint16,
 *                  UncompressedLength uint32, Length uint32, Body
 */
export class EntryCursor {
  /** The offset of the entry's first record. */
  offset: number
  /** 1 for a simple entry. */
  recordCount = 0
  isSubBatch = false
  /** 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd, 5 to 7 unassigned. */
  compression = 0
  /** The announced length of a sub-entry batch; 0 for a simple entry. */
  uncompressedLength = 0

  readonly #data: Buffer
  #bodyStart = 0
  #bodyEnd = 0
  #entriesLeft: number
  #recordsLeft: number

  constructor (data: Buffer, firstOffset: number, entryCount: number, recordCount: number) {
    this.#data = data
    this.offset = firstOffset
    this.#entriesLeft = entryCount
    this.#recordsLeft = recordCount
  }

  /**
   * Moves to the next entry; false after the last one.
   *
   * @throws ChunkError when the entries do not fill the chunk as its header says
   */
  next (): boolean {
    if (this.#entriesLeft === 0) {
      if (this.#bodyEnd !== this.#data.length || this.#recordsLeft !== 0) {
        throw this.#error('has bytes or records after its last entry')
      }
      return false
    }
    const header = this.#bodyEnd
    if (header >= this.#data.length) throw this.#error('ends before its last entry')
    this.offset += this.recordCount
    if (this.#data.readUInt8(header) < SUB_BATCH_BIT) this.#readSimple(header)
    else this.#readSubBatch(header)
    if (this.#bodyEnd > this.#data.length) throw this.#error('has an entry that is longer than it')
    this.#entriesLeft--
    this.#recordsLeft -= this.recordCount
    if (this.#recordsLeft < 0) throw this.#error('has more records than it says')
    return true
  }

  /** The body of the entry: a view into the chunk. For a sub-entry batch see `expandSubBatch`. */
  bytes (): Buffer {
    return this.#data.subarray(this.#bodyStart, this.#bodyEnd)
  }

  /** Where the body begins in the data of its chunk. */
  get bodyStart (): number {
    return this.#bodyStart
  }

  /** The length of `bytes()`, without making the view. */
  get bodyLength (): number {
    return this.#bodyEnd - this.#bodyStart
  }

  /** Another cursor at the same entry. The two move independently. */
  clone (): EntryCursor {
    const other = new EntryCursor(this.#data, this.offset, this.#entriesLeft, this.#recordsLeft)
    other.recordCount = this.recordCount
    other.isSubBatch = this.isSubBatch
    other.compression = this.compression
    other.uncompressedLength = this.uncompressedLength
    other.#bodyStart = this.#bodyStart
    other.#bodyEnd = this.#bodyEnd
    return other
  }

  #readSimple (header: number): void {
    this.#bodyStart = header + SIMPLE_HEADER_BYTES
    if (this.#bodyStart > this.#data.length) throw this.#error('ends inside the header of an entry')
    this.#bodyEnd = this.#bodyStart + this.#data.readUInt32BE(header)
    this.recordCount = 1
    this.isSubBatch = false
    this.compression = 0
    this.uncompressedLength = 0
  }

  #readSubBatch (header: number): void {
    this.#bodyStart = header + SUB_BATCH_HEADER_BYTES
    if (this.#bodyStart > this.#data.length) throw this.#error('ends inside the header of a sub-entry batch')
    this.compression = (this.#data.readUInt8(header) >> 4) & 0x7
    this.recordCount = this.#data.readUInt16BE(header + 1)
    this.uncompressedLength = this.#data.readUInt32BE(header + 3)
    this.#bodyEnd = this.#bodyStart + this.#data.readUInt32BE(header + 7)
    this.isSubBatch = true
  }

  #error (what: string): ChunkError {
    return new ChunkError(`the chunk around offset ${this.offset} ${what}`)
  }
}
