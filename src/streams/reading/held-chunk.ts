import type { ByteBudget } from '../common/budget.ts'
import { Lease } from '../common/lease.ts'
import { ChunkError, compressionNames } from '../protocol/index.ts'
import type { Chunk, EntryCursor, SubBatch } from '../protocol/index.ts'
import type { Expanded, Expansions } from './expansions.ts'
import type { BatchBuilder, Held } from './read-batch.ts'

// The objects around the bytes: what a chunk with one small message costs beside its bytes.
const OBJECT_BYTES = 512
const USER_CHUNK = 0

// The same for a sub-entry batch that was expanded.
const EXPANDED_BYTES = 256

/**
 * A delivered chunk in memory, charged to the read budget for as long as a reader's window or an answer that is being
 * written holds it.
 */
export class HeldChunk implements Held {
  readonly chunk: Chunk
  readonly #lease: Lease
  readonly #expansions: Expansions
  #expanded: Map<number, Expanded> | undefined
  #expanding: Map<number, Promise<void>> | undefined
  #expandedBytes = 0
  #resume: { readonly offset: number, readonly cursor: EntryCursor, readonly isOnEntry: boolean } | undefined
  #holders = 1

  constructor (chunk: Chunk, budget: ByteBudget, expansions: Expansions) {
    this.chunk = chunk
    this.#expansions = expansions
    this.#lease = Lease.take(budget, chunk.byteLength + OBJECT_BYTES)
  }

  get costBytes (): number {
    return this.#lease.bytes
  }

  retain (): void {
    this.#holders++
  }

  release (): void {
    this.#holders--
    if (this.#holders > 0) return
    this.#holdExpanded(-this.#expandedBytes)
    this.#lease.end()
  }

  /**
   * Adds the messages from `from` on, as many as fit. A message below it costs only the step over its length. It stops
   * before a batch that has to be expanded on another thread, which `into.expansion` then is.
   *
   * @returns the offset after the last one added: the chunk's end when all were
   */
  collect (from: number, into: BatchBuilder): number {
    if (this.chunk.chunkType !== USER_CHUNK) return this.chunk.endOffset
    const before = into.count
    const reached = this.#collect(from, into)
    // A search that finds nothing in it keeps nothing of it.
    if (into.count > before || into.expansion !== undefined) into.hold(this)
    return reached
  }

  #collect (from: number, into: BatchBuilder): number {
    const { cursor, isOnEntry } = this.#cursorFor(from)
    let reached = from
    let hasEntry = isOnEntry
    try {
      while (!into.isPaused && (hasEntry || cursor.next())) {
        hasEntry = false
        const end = cursor.offset + cursor.recordCount
        if (end <= from) continue
        reached = this.#addEntry(cursor, Math.max(from, cursor.offset), into)
        if (reached < end) {
          this.#resume = { offset: reached, cursor, isOnEntry: true }
          return reached
        }
      }
    } catch (error) {
      if (!(error instanceof ChunkError)) throw error
      return this.#addBroken(reached, into)
    }
    if (!into.isPaused) return this.chunk.endOffset
    this.#resume = { offset: reached, cursor, isOnEntry: false }
    return reached
  }

  // A poll that continues where another one stopped does not walk through the chunk from its start.
  #cursorFor (from: number): { cursor: EntryCursor, isOnEntry: boolean } {
    const resume = this.#resume
    if (resume?.offset === from) return { cursor: resume.cursor.clone(), isOnEntry: resume.isOnEntry }
    return { cursor: this.chunk.entries(), isOnEntry: false }
  }

  #addEntry (entry: EntryCursor, from: number, into: BatchBuilder): number {
    const { timestamp } = this.chunk
    if (!entry.isSubBatch) {
      return into.addEntry(this.chunk.data, entry.bodyStart, entry.bodyLength, entry.offset, timestamp)
        ? entry.offset + 1
        : entry.offset
    }
    const end = entry.offset + entry.recordCount
    const expanded = this.#expanded?.get(entry.offset) ?? this.#expand(entry, into)
    if (expanded === undefined) return from
    if ('reason' in expanded) {
      const compression = compressionNames[entry.compression] ?? `unknown (${entry.compression})`
      return into.addUnreadable({
        kind: 'unreadable',
        offset: from,
        timestamp,
        bytes: entry.bytes(),
        records: end - from,
        compression,
        reason: expanded.reason
      })
        ? end
        : from
    }
    for (let offset = from; offset < end; offset++) {
      const index = offset - entry.offset
      const { data } = expanded.records
      if (
        into.isPaused ||
        !into.addEntry(data, expanded.records.startOf(index), expanded.records.lengthOf(index), offset, timestamp)
      ) return offset
    }
    return end
  }

  // A batch is expanded once for all readers, and its memory is charged with the chunk. Undefined when this read has
  // expanded enough, since a chunk may be full of batches that take long and hold nothing, and when the batch is not
  // expanded yet.
  #expand (entry: EntryCursor, into: BatchBuilder): Expanded | undefined {
    const batch: SubBatch = {
      compression: entry.compression,
      bytes: entry.bytes(),
      uncompressedLength: entry.uncompressedLength,
      recordCount: entry.recordCount
    }
    const isExpanded = batch.compression !== 0 && batch.uncompressedLength <= this.#expansions.maxBytes
    if (isExpanded && !into.mayExpand(batch.uncompressedLength, this.#expansions.maxBytes)) return undefined
    if (!this.#expansions.isSmall(batch) || (isExpanded && !into.mayExpandNow(batch.uncompressedLength))) {
      const { offset } = entry
      into.expansion = { held: this, run: async () => { await this.#expandLater(offset, batch, into) } }
      return undefined
    }
    const expanded = this.#expansions.expandNow(batch)
    this.#keep(entry.offset, expanded)
    return expanded
  }

  // Reads that come to the same batch meanwhile wait for the same expansion.
  async #expandLater (offset: number, batch: SubBatch, into: BatchBuilder): Promise<void> {
    let expanding = this.#expanding?.get(offset)
    if (expanding === undefined) {
      const refusal = this.#expansions.refusal(batch.uncompressedLength)
      if (refusal !== undefined) {
        if (into.isEmpty) throw refusal
        into.close()
        return
      }
      expanding = this.#expandOnThread(offset, batch)
      this.#expanding ??= new Map()
      this.#expanding.set(offset, expanding)
    }
    await expanding
  }

  async #expandOnThread (offset: number, batch: SubBatch): Promise<void> {
    // Charged before it is there, and until it is, whoever leaves meanwhile.
    this.retain()
    this.#holdExpanded(batch.uncompressedLength)
    try {
      const expanded = await this.#expansions.expand(batch)
      this.#holdExpanded(-batch.uncompressedLength)
      this.#keep(offset, expanded)
    } finally {
      this.#expanding?.delete(offset)
      this.release()
    }
  }

  #keep (offset: number, expanded: Expanded): void {
    this.#expanded ??= new Map()
    this.#expanded.set(offset, expanded)
    this.#holdExpanded(EXPANDED_BYTES + ('records' in expanded ? expanded.records.byteLength : 0))
  }

  #holdExpanded (moreBytes: number): void {
    this.#expandedBytes += moreBytes
    this.#expansions.held(moreBytes)
    this.#lease.resize(this.#lease.bytes + moreBytes)
  }

  // The checksum is right and yet the entries do not add up: the chunk was written like this. The rest of it is one
  // unreadable piece.
  #addBroken (from: number, into: BatchBuilder): number {
    const { endOffset, timestamp } = this.chunk
    const records = endOffset - from
    const isAdded = into.addUnreadable({
      kind: 'unreadable',
      offset: from,
      timestamp,
      bytes: new Uint8Array(),
      records,
      compression: 'none',
      reason: 'the entries of the chunk are malformed'
    })
    return isAdded ? endOffset : from
  }
}
