import { StreamsError } from '../errors.ts'
import { NO_DEADLINE, type Chunk, type ChunkError, type OffsetSpec } from '../protocol/index.ts'
import type { ConnectionPool, Endpoint } from './connection-pool.ts'
import { canFilter, filtersUnsupported } from './filtering.ts'
import type { Slot, SlotOwner } from './slot.ts'

export interface SubscriptionHandlers {
  delivered (chunk: Chunk, committedChunkId: number | undefined): void
  /** The connection or the stream is gone, and the subscription with it. Called at most once. */
  lost (error: StreamsError): void
}

// The broker begins to send only when more than half of the *initial* credit is there. With one credit that half is
// zero: from then on every single credit is used as soon as it is given (rabbit_stream_reader, send_limit).
const INITIAL_CREDIT = 1
// The broker sends one chunk for each credit. A peer that keeps no count would fill the memory.
const MAX_UNASKED_CHUNKS = 16

type State =
  /** Before `listen`: what arrives behind the answer to the subscribe request is kept. */
  | { readonly name: 'early', readonly chunks: Array<readonly [Chunk, number | undefined]>, damage?: StreamsError }
  | { readonly name: 'listening', readonly handlers: SubscriptionHandlers }
  | { readonly name: 'closed' }

/**
 * A subscription on the broker: one place on a shared connection, chunks for credit.
 */
export class Subscription {
  readonly stream: string
  readonly #slot: Slot
  readonly #inbox: Inbox

  readonly #isSlow: boolean

  private constructor (stream: string, slot: Slot, inbox: Inbox, isSlow: boolean) {
    this.stream = stream
    this.#slot = slot
    this.#inbox = inbox
    this.#isSlow = isSlow
  }

  /**
   * Subscribes with one credit: the first chunk is on its way when this returns, or comes when there is one.
   *
   * @param node has to be one with a member of the stream
   * @param isSlow the broker may look at many chunks before it delivers one, and answers nothing on the connection
   *   meanwhile. Such subscriptions have connections of their own
   * @throws StreamsError `unsupported_by_broker` when the node does not know filters and the properties have one
   */
  static async open (
    connections: ConnectionPool,
    node: Endpoint,
    stream: string,
    spec: OffsetSpec,
    properties: ReadonlyMap<string, string>,
    isSlow = false
  ): Promise<Subscription> {
    const inbox = new Inbox(stream, isSlow)
    const slot = await connections.takeSlot('consume', node, inbox)
    inbox.leave = () => { slot.leave() }
    await slot.enter(async () => {
      if (isSlow && !canFilter(slot.connection)) throw filtersUnsupported()
      await slot.connection.subscribe(slot.id, stream, spec, INITIAL_CREDIT, properties)
    })
    return new Subscription(stream, slot, inbox, isSlow)
  }

  /** Chunks that the broker may still send without being asked. */
  get outstandingCredit (): number {
    return this.#inbox.outstandingCredit
  }

  /** Tells the handlers of everything from now on, and of what arrived before. Call it once, right after `open`. */
  listen (handlers: SubscriptionHandlers): void {
    this.#inbox.listen(handlers)
  }

  giveCredit (credit: number): void {
    if (this.#inbox.isClosed || credit <= 0) return
    this.#inbox.outstandingCredit += credit
    this.#slot.connection.credit(this.#slot.id, credit)
  }

  /**
   * When this resolves, every chunk that was readable at the call has been delivered, as far as the credit went: the
   * broker works through a connection's requests in order, and with each credit, also one of 0, it looks into the log
   * and sends. Without being asked it may send a moment after it has confirmed a message.
   *
   * @returns the stream's statistics as the node knows them; what is committed by them has been delivered by the end of
   *   the next fence
   */
  async fence (): Promise<ReadonlyMap<string, bigint>> {
    const { connection, id } = this.#slot
    if (!this.#inbox.isClosed) connection.credit(id, 0)
    // Heartbeats, which the broker sends meanwhile, tell a slow answer from a broken connection.
    return this.#isSlow
      ? await connection.streamStats(this.stream, NO_DEADLINE)
      : await connection.streamStats(this.stream)
  }

  close (): void {
    this.#inbox.close()
  }
}

// Receives what the broker says of the subscription, and tells the handlers.
class Inbox implements SlotOwner {
  readonly stream: string
  readonly isSlow: boolean
  outstandingCredit = INITIAL_CREDIT
  /** Gives the place on the connection back. */
  leave: () => void = () => {}
  #state: State = { name: 'early', chunks: [] }

  constructor (stream: string, isSlow: boolean) {
    this.stream = stream
    this.isSlow = isSlow
  }

  get isClosed (): boolean {
    return this.#state.name === 'closed'
  }

  listen (handlers: SubscriptionHandlers): void {
    const state = this.#state
    if (state.name !== 'early') return
    this.#state = { name: 'listening', handlers }
    for (const [chunk, committedChunkId] of state.chunks) handlers.delivered(chunk, committedChunkId)
    if (state.damage !== undefined) this.#damaged(state.damage)
  }

  close (): void {
    if (this.#state.name === 'closed') return
    this.#state = { name: 'closed' }
    this.leave()
  }

  delivered (chunk: Chunk, committedChunkId: number | undefined): void {
    this.outstandingCredit--
    const state = this.#state
    if (state.name === 'closed' || (state.name === 'early' && state.damage !== undefined)) return
    if (this.outstandingCredit < -MAX_UNASKED_CHUNKS) {
      this.#damaged(new StreamsError('broker_protocol_error', 'the broker delivered what was not asked for'))
    } else if (state.name === 'early') {
      state.chunks.push([chunk, committedChunkId])
    } else {
      state.handlers.delivered(chunk, committedChunkId)
    }
  }

  // What the chunk held cannot be known, and what comes after it would hide that it is missing.
  damaged (error: ChunkError): void {
    this.#damaged(new StreamsError('broker_protocol_error', 'the broker delivered a chunk that is damaged', {
      retryable: true,
      cause: error
    }))
  }

  lost (error: StreamsError): void {
    const state = this.#state
    if (state.name === 'early') {
      state.damage ??= error // told to the handlers when they listen
      return
    }
    this.#state = { name: 'closed' }
    if (state.name === 'listening') state.handlers.lost(error)
  }

  // It may come right behind the answer to the subscribe request: then the handlers are told when they listen.
  #damaged (error: StreamsError): void {
    const state = this.#state
    if (state.name === 'early') {
      state.damage ??= error
    } else if (state.name === 'listening') {
      state.handlers.lost(error)
      this.close()
    }
  }
}
