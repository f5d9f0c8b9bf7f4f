import { classify, classifyResponseCode } from '../classify.ts'
import { Connection } from '../protocol/index.ts'
import type { ConnectionClosedError, ConnectionHandlers, ConnectionOptions } from '../protocol/index.ts'
import { Places } from './places.ts'
import type { Slot, SlotOwner } from './slot.ts'

export type OpenOptions = Omit<ConnectionOptions, 'handlers'>

/** What its places are for. */
export type PlacesFor = 'publishers' | 'subscriptions'

/**
 * A connection with its 256 places for publishers or for subscriptions. It hands what the broker says to the owner of
 * the place it speaks of.
 */
export class SharedConnection {
  readonly connection: Connection
  readonly #places: Places
  readonly #placesFor: PlacesFor
  #isSilent = false
  #usedMs = performance.now()

  private constructor (connection: Connection, places: Places, placesFor: PlacesFor) {
    this.connection = connection
    this.#places = places
    this.#placesFor = placesFor
  }

  /**
   * @param onClosed called once, after the places are lost; not for a connection that has ended before this resolves
   * @param signal ends the attempt
   */
  static async open (
    options: OpenOptions,
    placesFor: PlacesFor,
    onClosed: (connection: SharedConnection, error: ConnectionClosedError) => void,
    signal: AbortSignal
  ): Promise<SharedConnection> {
    const places = new Places()
    const opened: SharedConnection[] = []
    const handlers = handlersFor(places, {
      silent: () => { for (const shared of opened) shared.#leaveSilent() },
      closed: (error) => { for (const shared of opened) onClosed(shared, error) }
    })
    const shared = new SharedConnection(await Connection.open({ ...options, handlers }, signal), places, placesFor)
    opened.push(shared)
    return shared
  }

  get isOpen (): boolean {
    return this.connection.isOpen
  }

  /** Whether it has places for more owners. */
  get hasRoom (): boolean {
    return this.isOpen && !this.#isSilent && !this.#places.isFull
  }

  get usedSlots (): number {
    return this.#places.usedCount
  }

  /** Whether nothing is on its way on it, by the answers that have come. */
  get isQuiet (): boolean {
    return this.usedSlots === 0 && !this.connection.isAwaiting
  }

  /** When the last place was given back or the connection was used without one, performance.now() ms. */
  get lastUsedMs (): number {
    return Math.max(this.#usedMs, this.#places.lastFreedMs)
  }

  /** The connection for a request that needs no place. */
  use (): Connection {
    this.#usedMs = performance.now()
    return this.connection
  }

  /** A place, which the owner has to `enter`; undefined when all are taken. */
  take (owner: SlotOwner): Slot | undefined {
    const { connection } = this
    const forget = this.#placesFor === 'publishers'
      ? async (id: number) => { await connection.deletePublisher(id) }
      : async (id: number) => { await connection.unsubscribe(id) }
    return this.#places.take({ connection, owner, forget })
  }

  // The peer is gone without a word, which heartbeats would notice a minute or two later. While the broker is out of
  // disk space, though, it reads no connection with publishers, and messages on their way there may still be confirmed.
  // So that connection stays, for those messages alone.
  #leaveSilent (): void {
    this.#isSilent = true
    if (this.#placesFor === 'publishers') for (const slot of this.#places.taken()) slot.owner?.silent?.()
    else this.connection.destroy(new Error('a request got no answer, nor did anything else come'))
  }
}

function handlersFor (
  places: Places, { silent, closed }: { silent: () => void, closed: (error: ConnectionClosedError) => void }
): ConnectionHandlers {
  return {
    confirmed: (id, publishingIds) => places.owner(id)?.confirmed?.(publishingIds),
    publishFailed: (id, publishingId, code) => places.owner(id)?.publishFailed?.(publishingId, code),
    delivered: (id, chunk, committedChunkId) => places.owner(id)?.delivered?.(chunk, committedChunkId),
    deliveryFailed: (id, error) => places.owner(id)?.damaged?.(error),
    metadataUpdated: (code, stream) => { loseStream(places, code, stream) },
    creditRefused: () => {}, // for a subscription that the broker has dropped: the metadata update says so too
    consumerUpdated: (id, isActive, answer) => {
      const owner = places.owner(id)
      if (owner?.updated === undefined) answer()
      else owner.updated(isActive, answer)
    },
    silent,
    drained: () => { for (const slot of places.taken()) slot.owner?.drained?.() },
    closed: (error) => {
      const lost = classify(error)
      for (const slot of places.taken()) slot.loseConnection(lost)
      closed(error)
    }
  }
}

// The broker has already dropped the stream's publishers and subscriptions on this connection (rabbit_stream_reader,
// clean_state_after_stream_deletion_or_failure).
function loseStream (places: Places, code: number, stream: string): void {
  const error = classifyResponseCode(code)
  for (const slot of places.taken()) if (slot.owner?.stream === stream) slot.loseStream(error)
}
