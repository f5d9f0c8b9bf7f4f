import type { ByteBudget } from '../common/budget.ts'
import type { StreamsError } from '../errors.ts'
import { CompressionError, Expander, expandSubBatch, type SubBatch, type SubBatchRecords } from '../protocol/index.ts'
import { tooMuchRead } from './answers.ts'

/** A sub-entry batch that was expanded, or why it cannot be. */
export type Expanded = { readonly records: SubBatchRecords } | { readonly reason: string }

// Expanding as much takes less than a thread needs to begin.
const SMALL_BYTES = 32 * 1024

/** The sub-entry batches that are expanded, and their part of the read budget. */
export class Expansions {
  /** A batch that would be larger is not expanded. */
  readonly maxBytes: number
  readonly #budget: ByteBudget
  readonly #expander: Expander
  readonly #evictIdle: (neededBytes: number) => void
  #heldBytes = 0

  /** @param evictIdle evicts idle readers until the bytes fit or none is left */
  constructor (maxBytes: number, budget: ByteBudget, evictIdle: (neededBytes: number) => void) {
    this.maxBytes = maxBytes
    this.#budget = budget
    this.#expander = new Expander(maxBytes)
    this.#evictIdle = evictIdle
  }

  /** Whether a batch is expanded at once, without a thread. */
  isSmall ({ compression, bytes, uncompressedLength }: SubBatch): boolean {
    // Without compression and beyond the limit nothing is expanded, whatever the batch announces.
    if (compression === 0 || uncompressedLength > this.maxBytes) return true
    return bytes.length <= SMALL_BYTES && uncompressedLength <= SMALL_BYTES
  }

  expandNow ({ compression, bytes, uncompressedLength, recordCount }: SubBatch): Expanded {
    try {
      return { records: expandSubBatch(compression, bytes, uncompressedLength, recordCount, this.maxBytes) }
    } catch (error) {
      return reasonOf(error)
    }
  }

  /** Expands on another thread. @throws ProtocolError when this is closed meanwhile */
  async expand (batch: SubBatch): Promise<Expanded> {
    try {
      return { records: await this.#expander.expand(batch) }
    } catch (error) {
      return reasonOf(error)
    }
  }

  /**
   * Tells whether the budget has room to expand this many bytes. While nothing is expanded, a batch of any size may be:
   * otherwise a batch larger than the budget could never be read.
   *
   * @returns `overloaded` when there is no room
   */
  refusal (bytes: number): StreamsError | undefined {
    if (this.#heldBytes === 0 || this.#budget.hasRoomFor(bytes)) return undefined
    this.#evictIdle(bytes)
    return this.#budget.hasRoomFor(bytes) ? undefined : tooMuchRead(this.#budget)
  }

  /** Counts expanded bytes that are held from now on; a negative number when they are let go. */
  held (moreBytes: number): void {
    this.#heldBytes += moreBytes
  }

  /** Ends the threads. Calling it twice is fine. */
  async close (): Promise<void> {
    await this.#expander.close()
  }
}

function reasonOf (error: unknown): { reason: string } {
  if (error instanceof CompressionError) return { reason: error.message }
  throw error
}
