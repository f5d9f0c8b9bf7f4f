import type { StreamsError } from '../errors.ts'
import { ResponseError } from '../protocol/index.ts'
import type { AnswerUpdate, Chunk, ChunkError, Connection, PublishingIds } from '../protocol/index.ts'

/**
 * The publisher or the subscription that holds a slot. Its callbacks run on the turn of the socket and must not throw.
 */
export interface SlotOwner {
  /** The broker's name of the stream. */
  readonly stream: string
  /** A publisher with a reference. What it sends can be sent again, and it asks the broker for its last id. */
  readonly isNamed?: boolean
  /** A subscription for which the broker may look at many chunks, and answer nothing else meanwhile. */
  readonly isSlow?: boolean
  confirmed? (publishingIds: PublishingIds): void
  publishFailed? (publishingId: number, responseCode: number): void
  delivered? (chunk: Chunk, committedChunkId: number | undefined): void
  /** A single active consumer: see `ConnectionHandlers.consumerUpdated`. */
  updated? (isActive: boolean, answer: AnswerUpdate): void
  /** A chunk came whose checksum or layout is wrong. */
  damaged? (error: ChunkError): void
  /**
   * The peer may be gone: a request got no answer, and nothing else came either. An owner with nothing on its way
   * should leave.
   */
  silent? (): void
  /** The socket took what was waiting to be written. */
  drained? (): void
  /** The connection or the stream's place on it is gone, after `enter` and before `leave`. Called at most once. */
  lost (error: StreamsError): void
}

export interface SlotOptions {
  connection: Connection
  /** The publisher id or subscription id. */
  id: number
  owner: SlotOwner
  /** Asks the broker to forget the id; settles when it has answered, or with the connection. */
  forget: (id: number) => Promise<void>
  /** The id may be used again. */
  onFree: () => void
}

/**
 * A publisher's or a subscription's place on a connection. Its id is free again only when the broker has answered that
 * it no longer knows it. An answer that does not come in time says nothing, and what the broker has under an id must
 * not reach the next owner.
 */
export class Slot {
  readonly connection: Connection
  readonly id: number
  readonly #options: SlotOptions
  #state: 'entering' | 'in' | 'leaving' | 'free' = 'entering'
  #lostWhileEntering: StreamsError | undefined

  constructor (options: SlotOptions) {
    this.connection = options.connection
    this.id = options.id
    this.#options = options
  }

  /** The owner, which is told what the broker says of the id. */
  get owner (): SlotOwner | undefined {
    return this.#state === 'entering' || this.#state === 'in' ? this.#options.owner : undefined
  }

  /**
   * Asks the broker to fill the place. When that fails the place is given back.
   *
   * @param request declares the publisher, or subscribes
   */
  async enter (request: () => Promise<void>): Promise<void> {
    try {
      await request()
    } catch (error) {
      if (error instanceof ResponseError) this.#free() // the broker has refused it
      else this.leave()
      throw error
    }
    if (this.#lostWhileEntering !== undefined) {
      // The stream was lost before or after the broker worked off the request. If before, the broker has filled the
      // place, at the new leader.
      this.leave()
      throw this.#lostWhileEntering
    }
    this.#state = 'in'
  }

  /** Asks the broker to forget the id. The owner hears nothing more. Calling it twice is fine. */
  leave (): void {
    if (this.#state === 'leaving' || this.#state === 'free') return
    this.#state = 'leaving'
    const { forget } = this.#options
    // Whatever the broker answers, it knows nothing of the id after that; and without a connection there is no id.
    forget(this.id).catch(() => {}).then(() => { this.#free() }, () => {})
  }

  /** The broker has dropped the stream from the connection. A request under way may still be answered. */
  loseStream (error: StreamsError): void {
    if (this.#state === 'entering') this.#lostWhileEntering = error
    else if (this.#state === 'in') this.#lose(error)
  }

  /** The connection has ended. */
  loseConnection (error: StreamsError): void {
    if (this.#state === 'entering') this.#lostWhileEntering = error
    if (this.#state === 'in') this.#lose(error)
    else this.#free()
  }

  #lose (error: StreamsError): void {
    this.#free()
    this.#options.owner.lost(error)
  }

  #free (): void {
    if (this.#state === 'free') return
    this.#state = 'free'
    this.#options.onFree()
  }
}
