import { classify, classifyResponseCode } from '../classify.ts'
import type { StreamsError } from '../errors.ts'
import { Connection, RequestTimeoutError } from '../protocol/index.ts'
import type { Chunk, ChunkError, ConnectionHandlers, ConnectionOptions, OffsetSpec, PublishingIds } from '../protocol/index.ts'

/** Publisher ids and subscription ids are one byte on the wire. */
export const SLOTS_PER_CONNECTION = 256

/** Who holds a slot: a publisher or a subscription. Its callbacks run on the socket's turn and must not throw. */
export interface SlotOwner {
  /** The broker's name of the stream. */
  readonly stream: string
  confirmed? (publishingIds: PublishingIds): void
  publishFailed? (publishingId: number, responseCode: number): void
  delivered? (chunk: Chunk, committedChunkId: number | undefined): void
  /** A chunk came whose checksum or layout is wrong. */
  damaged? (error: ChunkError): void
  /** The socket took what was waiting to be written. */
  drained? (): void
  /** The connection or the stream's place on it is gone; the slot is released already. Called at most once. */
  lost (error: StreamsError): void
}

export type OpenOptions = Omit<ConnectionOptions, 'handlers'>

/** A publisher's or a subscription's place on a connection. */
export interface Slot {
  readonly connection: Connection
  /** The publisher id or subscription id. */
  readonly id: number
  readonly isHeld: boolean
  /** Gives the id back. Only after the broker has confirmed that it forgot it. Twice is fine. */
  release (): void
  /**
   * Gives the place up after a request that declares or deletes has failed. Without an answer the broker may still know the id, and what it
   * says of it must reach no other owner: then the id is not used again on this connection.
   */
  releaseAfter (error: unknown): void
}

/**
 * A connection with its 256 places. It hands what the broker says to the owner of the place it speaks of.
 */
export class SharedConnection {
  #connection: Connection | undefined
  readonly #owners = new Array<SlotOwner | undefined>(SLOTS_PER_CONNECTION).fill(undefined)
  // First in, first out, so that an id rests as long as it can: what the broker still says of its former owner must not reach the next one.
  readonly #freeIds = Array.from({ length: SLOTS_PER_CONNECTION }, (_, id) => id)
  readonly #onClosed: (error: StreamsError) => void
  readonly #isForPublishing: boolean
  #isSilent = false
  #spentIds = 0
  /** When the last slot was given back or the connection was used without one, performance.now() ms. */
  lastUsedMs = performance.now()

  private constructor (isForPublishing: boolean, onClosed: (error: StreamsError) => void) {
    this.#isForPublishing = isForPublishing
    this.#onClosed = onClosed
  }

  /** @param signal ends the attempt */
  static async open (
    options: OpenOptions, isForPublishing: boolean, onClosed: (connection: SharedConnection, error: StreamsError) => void, signal: AbortSignal
  ): Promise<SharedConnection> {
    const shared: SharedConnection = new SharedConnection(isForPublishing, (error) => { onClosed(shared, error) })
    shared.#connection = await Connection.open({ ...options, handlers: shared.#handlers() }, signal)
    return shared
  }

  get connection (): Connection {
    if (this.#connection === undefined) throw new Error('the connection is not open yet')
    return this.#connection
  }

  get isOpen (): boolean {
    return this.#connection?.isOpen ?? false
  }

  /** Whether it has places for more owners. */
  get hasRoom (): boolean {
    return this.isOpen && !this.#isSilent && this.#freeIds.length > 0
  }

  get usedSlots (): number {
    return SLOTS_PER_CONNECTION - this.#freeIds.length - this.#spentIds
  }

  /** A place for the owner, or undefined when all are taken. */
  take (owner: SlotOwner): Slot | undefined {
    const id = this.#freeIds.shift()
    if (id === undefined) return undefined
    this.#owners[id] = owner
    const owners = this.#owners
    return {
      connection: this.connection,
      id,
      get isHeld () { return owners[id] === owner },
      release: () => { this.#release(id, owner) },
      releaseAfter: (error) => { this.#release(id, owner, error instanceof RequestTimeoutError) }
    }
  }

  #release (id: number, owner: SlotOwner, isSpent = false): void {
    if (this.#owners[id] !== owner) return
    this.#owners[id] = undefined
    if (isSpent) this.#spentIds++
    else this.#freeIds.push(id)
    this.lastUsedMs = performance.now()
  }

  #handlers (): ConnectionHandlers {
    return {
      confirmed: (id, publishingIds) => this.#owners[id]?.confirmed?.(publishingIds),
      publishFailed: (id, publishingId, code) => this.#owners[id]?.publishFailed?.(publishingId, code),
      delivered: (id, chunk, committedChunkId) => this.#owners[id]?.delivered?.(chunk, committedChunkId),
      deliveryFailed: (id, error) => this.#owners[id]?.damaged?.(error),
      metadataUpdated: (code, stream) => { this.#loseStream(code, stream) },
      creditRefused: () => {}, // for a subscription that the broker has dropped: the metadata update says so too
      consumerUpdated: (): OffsetSpec | undefined => undefined,
      silent: () => { this.#leaveSilent() },
      drained: () => { for (const owner of this.#owners) owner?.drained?.() },
      closed: (error) => {
        const lost = classify(error, 'possible')
        this.#lose(() => true, lost)
        this.#onClosed(lost)
      }
    }
  }

  // The broker has already dropped the stream's publishers and subscriptions on this connection (rabbit_stream_reader, clean_state_after_stream_deletion_or_failure).
  #loseStream (code: number, stream: string): void {
    this.#lose((owner) => owner.stream === stream, classifyResponseCode(code))
  }

  // The peer is gone without a word, which heartbeats would notice a minute or two later. While it is out of disk space, though, the broker
  // reads no connection with publishers: messages on their way there may still be confirmed. So that one stays, for them alone.
  #leaveSilent (): void {
    this.#isSilent = true
    if (!this.#isForPublishing) this.#connection?.destroy(new Error('a request got no answer, nor did anything else come'))
  }

  #lose (isLost: (owner: SlotOwner) => boolean, error: StreamsError): void {
    for (let id = 0; id < SLOTS_PER_CONNECTION; id++) {
      const owner = this.#owners[id]
      if (owner === undefined || !isLost(owner)) continue
      this.#release(id, owner)
      owner.lost(error)
    }
  }
}
