import { classify, classifyResponseCode } from '../classify.ts'
import type { ConnectionPool, Endpoint } from '../connections/connection-pool.ts'
import type { Locator } from '../topology/locator.ts'
import type { Slot, SlotOwner } from '../connections/slot.ts'
import { Backoff, Deadline, pause } from '../common/deadline.ts'
import { StreamsError } from '../errors.ts'
import { Mutex } from '../common/mutex.ts'
import { ResponseCode, ResponseError, type Connection, type PublishingIds } from '../protocol/index.ts'
import { maxEntryBytes, refuseTooLarge } from './message-size.ts'
import type { BatchOutcome } from './outcome.ts'
import { Outbox, type Outgoing } from './outbox.ts'

export interface PublisherOptions {
  connections: ConnectionPool
  locator: Locator
  reconnectDelayMs: number
  maxReconnectDelayMs: number
  /** How long opening may go on while the stream has no leader. */
  openTimeoutMs: number
}

// More than this in the socket's own buffer means that the broker does not read: what is not written there can still be
// taken back and reported as not sent.
const MAX_SOCKET_BUFFER_BYTES = 1024 * 1024

/**
 * One publisher of a stream on the broker, shared by all requests for the stream (without a reference) or for the
 * publisher name. What is queued in one turn of the event loop leaves in one frame, as far as frame_max allows.
 *
 * When the connection or the leader is lost, what was on its way gets the outcome `unknown`. Only with a reference is
 * it sent again, with the same ids: the broker then drops what it has already, and confirms that when it is committed.
 */
export class Publisher {
  readonly stream: string
  readonly reference: string | undefined
  readonly #options: PublisherOptions
  readonly #backoff: Backoff
  readonly #outbox: Outbox
  #slot: Slot | undefined
  #opening: Promise<Connection> | undefined
  #declaration = 0
  #lastConfirmMs = -Infinity
  #isFlushPlanned = false
  #isRedeclarePlanned = false
  #isRecovering = false
  #isClosed = false
  /** With a reference, requests take turns. */
  readonly turns = new Mutex()
  /** Requests that hold on to the publisher. */
  users = 0
  lastUsedMs = performance.now()

  constructor (stream: string, reference: string | undefined, options: PublisherOptions) {
    this.stream = stream
    this.reference = reference
    this.#options = options
    this.#outbox = new Outbox(reference !== undefined)
    this.#backoff = new Backoff(options.reconnectDelayMs, options.maxReconnectDelayMs)
  }

  /** How often it was declared: another number, another declaration. */
  get declaration (): number {
    return this.#declaration
  }

  get isIdle (): boolean {
    return this.users === 0 && this.#outbox.isEmpty && this.#opening === undefined
  }

  /**
   * Makes sure that the broker knows the publisher.
   *
   * @returns its connection
   * @throws StreamsError
   */
  async open (): Promise<Connection> {
    if (this.#slot !== undefined) return this.#slot.connection
    this.#opening ??= this.#open().finally(() => { this.#opening = undefined })
    return await this.#opening
  }

  /**
   * Queues a batch; its outcome settles later. The publisher must be open.
   *
   * @throws StreamsError `message_too_large` when a message does not fit into a frame; nothing of the batch is then
   *   sent
   */
  send (outgoing: Outgoing, from = 0): void {
    if (this.#slot !== undefined) {
      refuseTooLarge(outgoing.batch, outgoing.outcome.firstIndex, maxEntryBytes(this.#slot.connection))
    }
    this.#outbox.add(outgoing, from)
    if (this.#slot === undefined) this.#recover()
    else this.#planFlush()
  }

  /** Nobody waits any longer: what is not on its way is taken back, the outcome of the rest is `unknown`. */
  giveUp (outcome: BatchOutcome, notSent: StreamsError, sent: StreamsError): void {
    this.#outbox.takeBack(outcome, notSent)
    const standsStill = !outcome.isSettled && this.#lastConfirmMs < outcome.startedMs
    outcome.failRest('unknown', sent)
    if (standsStill) this.#renew()
    this.#outbox.forget(outcome)
  }

  /**
   * Takes back what was never sent and whose caller has left: to be called now and then, for a publisher that stands
   * still.
   */
  sweep (): void {
    this.#outbox.dropAbandoned()
  }

  /** Gives up its place on the broker. */
  close (): void {
    this.#isClosed = true
    const slot = this.#slot
    this.#slot = undefined
    this.#outbox.close('the gateway is stopping')
    slot?.leave()
  }

  #confirmed (publishingIds: PublishingIds): void {
    this.#outbox.confirm(publishingIds)
    this.#lastConfirmMs = performance.now()
    this.lastUsedMs = this.#lastConfirmMs
  }

  #publishFailed (publishingId: number, responseCode: number): void {
    const isUnknownPublisher = responseCode === ResponseCode.publisherDoesNotExist
    if (isUnknownPublisher) this.#planRedeclare()
    if (isUnknownPublisher && this.reference !== undefined) return // goes again with the new declaration
    this.#outbox.fail(publishingId, classifyResponseCode(responseCode))
  }

  #lost (error: StreamsError): void {
    this.#slot = undefined
    this.#options.locator.forget(this.stream)
    this.#outbox.loseFlights(error)
    if (this.#outbox.hasQueued) this.#recover()
  }

  // The broker has dropped this publisher: what is queued needs a new declaration. Only after this turn, in which the
  // errors of the same frame still arrive and say that their messages are not stored.
  #planRedeclare (): void {
    const slot = this.#slot
    if (slot === undefined || this.#isRedeclarePlanned) return
    this.#isRedeclarePlanned = true
    setImmediate(() => {
      this.#isRedeclarePlanned = false
      if (this.#slot !== slot) return
      slot.leave()
      this.#lost(classifyResponseCode(ResponseCode.streamNotAvailable))
    })
  }

  // Not one confirm since before the message that waited longest: the broker may have lost the leader without a word of
  // it. A new declaration finds the leader of now. It costs nothing when the reason was another one.
  #renew (): void {
    const slot = this.#slot
    if (slot === undefined) return
    this.#lost(new StreamsError('stream_not_available', 'the broker has stopped to confirm messages'))
    slot.leave()
  }

  // Declares the publisher again for what is queued. Without a reference one failure is the answer; with one it goes on
  // until the requests' own deadlines have emptied the queue.
  #recover (): void {
    if (this.#isRecovering) return
    this.#isRecovering = true
    this.#reopen().then(() => { this.#planFlush() }, (error: unknown) => { this.#outbox.failQueued(classify(error)) })
      .finally(() => { this.#isRecovering = false })
      .catch(() => {}) // neither branch throws
  }

  async #reopen (): Promise<void> {
    while (this.#outbox.hasQueued) {
      try {
        await this.open()
        return
      } catch (error) {
        const failure = classify(error)
        if (this.reference === undefined || !failure.retryable || this.#isClosed) throw failure
        await pause(this.#backoff.nextMs())
      }
    }
  }

  async #open (): Promise<Connection> {
    const { openTimeoutMs, locator } = this.#options
    const deadline = new Deadline(openTimeoutMs)
    // A leader that is elected is named by then. Before, a message passed on might go to the one that has failed, and
    // be unknown.
    const patience = new Deadline(openTimeoutMs / 2)
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await this.#declare(
          patience.hasPassed ? await locator.relay(this.stream) : await locator.leader(this.stream)
        )
      } catch (error) {
        const failure = declareFailure(error)
        locator.forget(this.stream)
        // The location may have been an old one: ask once more. A stream without a leader usually gets one within a
        // second or two. After an answer that did not come in time the caller has waited enough.
        const isWorthWaiting = failure.code === 'stream_not_available' && !deadline.hasPassed
        const mayTryAnotherNode = patience.hasPassed && !deadline.hasPassed
        const isWorthAnotherTry =
          (isFirst || mayTryAnotherNode) && failure.retryable && failure.code !== 'broker_timeout'
        if (this.#isClosed || !(isWorthWaiting || isWorthAnotherTry)) throw failure
        await pause(isFirst ? 0 : this.#backoff.nextMs())
      }
    }
  }

  async #declare (node: Endpoint): Promise<Connection> {
    const slot = await this.#options.connections.takeSlot('publish', node, this.#ownerOf(() => slot))
    await slot.enter(async () => { await slot.connection.declarePublisher(slot.id, this.reference ?? '', this.stream) })
    if (this.#isClosed) {
      slot.leave()
      throw new StreamsError('draining', 'the gateway is stopping')
    }
    this.#slot = slot
    this.#declaration++
    this.#backoff.reset()
    return slot.connection
  }

  // What the broker says of an earlier declaration, which may still be on its way out, must not touch the present one.
  #ownerOf (slot: () => Slot): SlotOwner {
    const whenPresent = (act: () => void): void => { if (this.#slot !== undefined && this.#slot === slot()) act() }
    return {
      stream: this.stream,
      confirmed: (publishingIds) => {
        whenPresent(() => {
          this.#confirmed(publishingIds)
        })
      },
      publishFailed: (publishingId, responseCode) => {
        whenPresent(() => {
          this.#publishFailed(publishingId, responseCode)
        })
      },
      silent: () => {
        whenPresent(() => {
          if (this.#outbox.isEmpty) this.#renew()
        })
      },
      drained: () => {
        whenPresent(() => {
          if (this.#outbox.hasQueued) this.#planFlush()
        })
      },
      lost: (error) => {
        whenPresent(() => {
          this.#lost(error)
        })
      } // while it is being declared, that request fails by itself
    }
  }

  // After the I/O of this turn of the event loop: whatever arrives in it shares frames.
  #planFlush (): void {
    if (this.#isFlushPlanned) return
    this.#isFlushPlanned = true
    setImmediate(() => {
      this.#isFlushPlanned = false
      this.#flush()
    })
  }

  #flush (): void {
    const slot = this.#slot
    if (slot === undefined) return
    const { connection, id } = slot
    try {
      while (this.#outbox.hasQueued && connection.isOpen && connection.bufferedBytes < MAX_SOCKET_BUFFER_BYTES) {
        const entries: Buffer[] = []
        const count = this.#outbox.fillFrame(entries, maxEntryBytes(connection))
        if (count > 0) connection.publish(id, count, entries)
      }
    } catch (error) {
      slot.leave()
      this.#lost(classify(error, 'possible'))
    }
  }
}

// 17 has no other cause here: the ids and the references are this process's own.
function declareFailure (error: unknown): StreamsError {
  if (error instanceof ResponseError && error.responseCode === ResponseCode.preconditionFailed) {
    return new StreamsError(
      'overloaded',
      'the broker takes no new publishers: it is out of disk space, or a limit of its own is reached',
      { cause: error }
    )
  }
  return classify(error)
}
