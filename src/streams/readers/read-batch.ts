/** A message as it lies in the stream; its bytes are decoded by who wants them. */
export type ReadMessage =
  | {
    readonly kind: 'entry'
    readonly offset: number
    /** When its chunk was written, ms since the epoch, by the broker's clock. */
    readonly timestamp: number
    /** What the publisher wrote: AMQP 1.0 from most clients, but the broker stores any bytes. */
    readonly bytes: Uint8Array
  }
  /** Records that cannot be told apart, because their compression is unknown or their bytes are broken: stands for `records` messages from `offset` on. */
  | {
    readonly kind: 'unreadable'
    readonly offset: number
    readonly timestamp: number
    readonly bytes: Uint8Array
    readonly records: number
    readonly compression: string
    readonly reason: string
  }

/** What retention took: both ends are missing, and everything between them. */
export interface Gap { readonly from: number, readonly to: number }

export interface ReadBatch {
  readonly messages: readonly ReadMessage[]
  /** Where the next read goes on, missing nothing. */
  readonly nextOffset: number
  /** Nothing readable was left when the answer was made. */
  readonly endOfStream: boolean
  readonly gap: Gap | undefined
  /** Gives the memory back. Call it when the answer has been written or dropped; twice is fine. */
  release (): void
}

/** Memory that several may hold; the last one to let go gives it back. */
export interface Held {
  retain (): void
  release (): void
}

/** Gathers messages up to a number and a size. At least one message always fits, however large. */
export class BatchBuilder {
  readonly messages: ReadMessage[] = []
  readonly #limit: number
  readonly #maxBytes: number
  readonly #held = new Set<Held>()
  #bytes = 0
  #expandedBytes = 0
  #isFull = false

  constructor (limit: number, maxBytes: number) {
    this.#limit = limit
    this.#maxBytes = maxBytes
  }

  get isFull (): boolean {
    return this.#isFull
  }

  get isEmpty (): boolean {
    return this.messages.length === 0
  }

  /** @returns false when the message does not fit any more */
  add (message: ReadMessage): boolean {
    if (this.messages.length > 0 && this.#bytes + message.bytes.length > this.#maxBytes) {
      this.#isFull = true
      return false
    }
    this.messages.push(message)
    this.#bytes += message.bytes.length
    if (this.messages.length >= this.#limit || this.#bytes >= this.#maxBytes) this.#isFull = true
    return true
  }

  /** Whether so many bytes of compressed batches may be expanded for this read; when not, it is full. The first batch always may. */
  mayExpand (bytes: number, maxBytes: number): boolean {
    if (!this.isEmpty && this.#expandedBytes + bytes > maxBytes) {
      this.#isFull = true
      return false
    }
    this.#expandedBytes += bytes
    return true
  }

  /** Keeps memory that messages lie in until the batch is released. */
  hold (memory: Held): void {
    if (this.#held.has(memory)) return
    this.#held.add(memory)
    memory.retain()
  }

  release (): void {
    for (const memory of this.#held) memory.release()
    this.#held.clear()
  }
}
