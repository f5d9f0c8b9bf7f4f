import { classify, classifyResponseCode } from '../classify.ts'
import type { StreamsError } from '../errors.ts'
import { Connection } from '../protocol/index.ts'
import type { ConnectionHandlers, ConnectionOptions, OffsetSpec } from '../protocol/index.ts'
import { Slot, type SlotOwner } from './slot.ts'

/** Publisher ids and subscription ids are one byte on the wire. */
export const SLOTS_PER_CONNECTION = 256

export type OpenOptions = Omit<ConnectionOptions, 'handlers'>

/**
 * A connection with its 256 places for publishers or for subscriptions. It hands what the broker says to the owner of
 * the place it speaks of.
 */
export class SharedConnection {
  #connection: Connection | undefined
  readonly #slots = new Array<Slot | undefined>(SLOTS_PER_CONNECTION).fill(undefined)
  // First in, first out, so that an id rests as long as it can.
  readonly #freeIds = Array.from({ length: SLOTS_PER_CONNECTION }, (_, id) => id)
  readonly #onClosed: (error: StreamsError) => void
  readonly #isForPublishing: boolean
  #isSilent = false
  /** When the last slot was given back or the connection was used without one, performance.now() ms. */
  lastUsedMs = performance.now()

  private constructor (isForPublishing: boolean, onClosed: (error: StreamsError) => void) {
    this.#isForPublishing = isForPublishing
    this.#onClosed = onClosed
  }

  /** @param signal ends the attempt */
  static async open (
    options: OpenOptions,
    isForPublishing: boolean,
    onClosed: (connection: SharedConnection, error: StreamsError) => void,
    signal: AbortSignal
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
    return SLOTS_PER_CONNECTION - this.#freeIds.length
  }

  /** A place for the owner, which has to `enter` it, or undefined when all are taken. */
  take (owner: SlotOwner): Slot | undefined {
    const id = this.#freeIds.shift()
    if (id === undefined) return undefined
    const { connection } = this
    const slot = new Slot({
      connection,
      id,
      owner,
      forget: async () => {
        await (this.#isForPublishing ? connection.deletePublisher(id) : connection.unsubscribe(id))
      },
      onFree: () => {
        this.#freed(id)
      }
    })
    this.#slots[id] = slot
    return slot
  }

  #freed (id: number): void {
    this.#slots[id] = undefined
    this.#freeIds.push(id)
    this.lastUsedMs = performance.now()
  }

  #handlers (): ConnectionHandlers {
    return {
      confirmed: (id, publishingIds) => this.#slots[id]?.owner?.confirmed?.(publishingIds),
      publishFailed: (id, publishingId, code) => this.#slots[id]?.owner?.publishFailed?.(publishingId, code),
      delivered: (id, chunk, committedChunkId) => this.#slots[id]?.owner?.delivered?.(chunk, committedChunkId),
      deliveryFailed: (id, error) => this.#slots[id]?.owner?.damaged?.(error),
      metadataUpdated: (code, stream) => { this.#loseStream(code, stream) },
      creditRefused: () => {}, // for a subscription that the broker has dropped: the metadata update says so too
      consumerUpdated: (): OffsetSpec | undefined => undefined,
      silent: () => { this.#leaveSilent() },
      drained: () => { for (const slot of this.#slots) slot?.owner?.drained?.() },
      closed: (error) => {
        const lost = classify(error)
        for (const slot of [...this.#slots]) slot?.loseConnection(lost)
        this.#onClosed(lost)
      }
    }
  }

  // The broker has already dropped the stream's publishers and subscriptions on this connection (rabbit_stream_reader,
  // clean_state_after_stream_deletion_or_failure).
  #loseStream (code: number, stream: string): void {
    const error = classifyResponseCode(code)
    for (const slot of [...this.#slots]) if (slot?.owner?.stream === stream) slot.loseStream(error)
  }

  // The peer is gone without a word, which heartbeats would notice a minute or two later. While it is out of disk
  // space, though, the broker reads no connection with publishers: messages on their way there may still be confirmed.
  // So that one stays, for them alone.
  #leaveSilent (): void {
    this.#isSilent = true
    if (this.#isForPublishing) for (const slot of [...this.#slots]) slot?.owner?.silent?.()
    else this.#connection?.destroy(new Error('a request got no answer, nor did anything else come'))
  }
}
