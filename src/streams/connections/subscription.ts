import type { ConnectionPool, Endpoint } from './connection-pool.ts'
import type { Slot, SlotOwner } from './slot.ts'
import { StreamsError } from '../errors.ts'
import type { Chunk, ChunkError, Connection, OffsetSpec } from '../protocol/index.ts'

export interface SubscriptionHandlers {
  delivered (chunk: Chunk, committedChunkId: number | undefined): void
  /** The connection or the stream is gone, and the subscription with it. At most once. */
  lost (error: StreamsError): void
}

// The broker begins to send only when more than half of the *initial* credit is there. With one credit that half is
// zero: from then on every single credit is used as soon as it is given (rabbit_stream_reader, send_limit).
const INITIAL_CREDIT = 1
// A chunk for each credit. A peer that keeps no count would fill the memory.
const MAX_UNASKED_CHUNKS = 16

/**
 * A subscription on the broker: one place on a shared connection, chunks for credit.
 */
export class Subscription implements SlotOwner {
  readonly stream: string
  #slot: Slot | undefined
  #outstandingCredit = INITIAL_CREDIT
  #isClosed = false
  // What arrives while the broker's answer to the subscribe request is still on its way to who asked.
  #early: Array<readonly [Chunk, number | undefined]> | undefined = []
  #handlers: SubscriptionHandlers | undefined
  #damage: StreamsError | undefined

  private constructor (stream: string) {
    this.stream = stream
  }

  /**
   * Subscribes with one credit: the first chunk is on its way when this returns, or comes when there is one.
   *
   * @param node has to be one with a member of the stream
   */
  static async open (
    connections: ConnectionPool,
    node: Endpoint,
    stream: string,
    spec: OffsetSpec,
    properties: ReadonlyMap<string, string>
  ): Promise<Subscription> {
    const subscription = new Subscription(stream)
    const slot = await connections.takeSlot('consume', node, subscription)
    await slot.enter(async () => { await slot.connection.subscribe(slot.id, stream, spec, INITIAL_CREDIT, properties) })
    subscription.#slot = slot
    return subscription
  }

  get connection (): Connection {
    return this.#held.connection
  }

  /** Chunks that the broker may still send without being asked. */
  get outstandingCredit (): number {
    return this.#outstandingCredit
  }

  /** From now on, and for what arrived before. Call it once, right after `open`. */
  listen (handlers: SubscriptionHandlers): void {
    this.#handlers = handlers
    const early = this.#early ?? []
    this.#early = undefined
    for (const [chunk, committedChunkId] of early) handlers.delivered(chunk, committedChunkId)
    if (this.#damage !== undefined) this.#endDamaged(this.#damage)
  }

  giveCredit (credit: number): void {
    if (this.#isClosed || credit <= 0) return
    this.#outstandingCredit += credit
    this.#held.connection.credit(this.#held.id, credit)
  }

  /**
   * When this resolves, every chunk that was readable at the call has been delivered, as far as the credit went: the
   * broker works through a connection's requests in order, and with each credit, be it of nothing, it looks into the
   * log and sends. Of itself it may send a moment after it has confirmed a message.
   *
   * @returns the stream's statistics as the node knows them; what is committed by them has been delivered by the end of
   *   the next fence
   */
  async fence (): Promise<ReadonlyMap<string, bigint>> {
    const { connection, id } = this.#held
    if (!this.#isClosed) connection.credit(id, 0)
    return await connection.streamStats(this.stream)
  }

  close (): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#held.leave()
  }

  delivered (chunk: Chunk, committedChunkId: number | undefined): void {
    this.#outstandingCredit--
    if (this.#isClosed || this.#damage !== undefined) return
    if (this.#outstandingCredit < -MAX_UNASKED_CHUNKS) {
      this.#damaged(new StreamsError('broker_protocol_error', 'the ' +
      'broker delivered what was not asked for'))
    } else if (this.#early !== undefined) this.#early.push([chunk, committedChunkId])
    else this.#handlers?.delivered(chunk, committedChunkId)
  }

  // What the chunk held cannot be known, and what comes after it would hide that it is missing.
  damaged (error: ChunkError): void {
    this.#damaged(
      new StreamsError('broker_protocol_error', 'the broker delivered a chunk that is damaged', {
        retryable: true,
        cause: error
      })
    )
  }

  lost (error: StreamsError): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#handlers?.lost(error)
  }

  // It may come right behind the answer to the subscribe request, before anybody listens: then it is told to who does.
  #damaged (error: StreamsError): void {
    if (this.#isClosed || this.#damage !== undefined) return
    this.#damage = error
    if (this.#handlers !== undefined) this.#endDamaged(error)
  }

  #endDamaged (error: StreamsError): void {
    this.#handlers?.lost(error)
    this.close()
  }

  get #held (): Slot {
    if (this.#slot === undefined) throw new Error('the subscription is not open')
    return this.#slot
  }
}
