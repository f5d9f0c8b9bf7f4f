import { classify, classifyResponseCode } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { Mutex } from '../common/mutex.ts'
import { OnceATurn } from '../common/once-a-turn.ts'
import { pause } from '../common/wait.ts'
import type { Slot, SlotOwner } from '../connections/slot.ts'
import { errorOf, type Ended } from '../ended.ts'
import { StreamsError } from '../errors.ts'
import { ResponseCode, type Connection, type PublishingIds } from '../protocol/index.ts'
import { declarePublisher, type DeclarationOptions } from './declaration.ts'
import { refuseUnsendableBatch } from './message-size.ts'
import type { BatchOutcome } from './outcome.ts'
import { Outbox, type Outgoing } from './outbox.ts'
import { IDLE, isDeclaring, type PublisherState, type Recovering } from './publisher-state.ts'

export interface PublisherOptions extends DeclarationOptions {
  reconnectDelayMs: number
  maxReconnectDelayMs: number
}

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
  // After the I/O of this turn of the event loop: what arrives in it shares frames.
  readonly #flushing = new OnceATurn(() => { this.#flush() })
  #state: PublisherState = IDLE
  #declarations = 0
  #lastConfirmMs = -Infinity
  /** With a reference, requests take turns. */
  readonly turns = new Mutex()
  /** How many requests use the publisher. */
  users = 0
  lastUsedMs = performance.now()

  constructor (stream: string, reference: string | undefined, options: PublisherOptions) {
    this.stream = stream
    this.reference = reference
    this.#options = options
    this.#outbox = new Outbox(reference !== undefined)
    this.#backoff = new Backoff(options.reconnectDelayMs, options.maxReconnectDelayMs)
  }

  /** How often it was declared. Another number means another declaration. */
  get declarations (): number {
    return this.#declarations
  }

  get isClosed (): boolean {
    return this.#state.name === 'closed'
  }

  get isIdle (): boolean {
    return this.users === 0 && this.#outbox.isEmpty && !isDeclaring(this.#state)
  }

  /**
   * Makes sure that the broker knows the publisher.
   *
   * @returns its connection
   * @throws StreamsError
   */
  async open (): Promise<Connection> {
    const state = this.#state
    switch (state.name) {
      case 'declared': return state.slot.connection
      case 'opening': return await state.attempt
      case 'recovering': return await (state.attempt ??= this.#attempt())
      case 'closed': throw errorOf(state.ended)
      case 'idle': return await (this.#state = { name: 'opening', attempt: this.#attempt() }).attempt
    }
  }

  /**
   * Queues a batch; its outcome settles later. The publisher must be open.
   *
   * @throws StreamsError `message_too_large` when a message does not fit into a frame, `unsupported_by_broker`; nothing
   *   of the batch is sent then
   */
  send (outgoing: Outgoing, from = 0): void {
    const state = this.#state
    if (state.name === 'declared') {
      refuseUnsendableBatch(outgoing.batch, outgoing.outcome.firstIndex, state.slot.connection)
    }
    this.#outbox.add(outgoing, from)
    switch (state.name) {
      case 'declared': this.#flushing.plan(); break
      case 'idle': this.#recover(undefined); break
      case 'opening': this.#recover(state.attempt); break
      case 'closed': this.#outbox.failQueued(errorOf(state.ended)); break
      case 'recovering': break
    }
  }

  /** The confirm timeout has passed: what is not on its way is taken back, and the outcome of the rest is `unknown`. */
  giveUp (outcome: BatchOutcome, notSent: StreamsError, sent: StreamsError): void {
    this.#outbox.takeBack(outcome, notSent)
    const standsStill = !outcome.isSettled && this.#lastConfirmMs < outcome.startedMs
    outcome.failRest('unknown', sent)
    if (standsStill) this.#renew()
    this.#outbox.forget(outcome)
  }

  /**
   * Takes back what was never sent and whose caller has left. To be called now and then: a publisher may stand still.
   */
  sweep (): void {
    this.#outbox.dropAbandoned()
  }

  /** Gives up its place on the broker. Calling it twice is fine. */
  close (ended: Ended): void {
    const state = this.#state
    if (state.name === 'closed') return
    this.#state = { name: 'closed', ended }
    this.#outbox.close(errorOf(ended))
    if (state.name === 'declared') state.slot.leave()
  }

  // One attempt at a time: all who ask meanwhile share it.
  #attempt (): Promise<Connection> {
    const attempt = this.#declare().finally(() => {
      const state = this.#state
      if (state.name === 'opening' && state.attempt === attempt) this.#state = IDLE
      if (state.name === 'recovering' && state.attempt === attempt) state.attempt = undefined
    })
    return attempt
  }

  async #declare (): Promise<Connection> {
    const slot = await declarePublisher({
      stream: this.stream,
      reference: this.reference,
      ownerOf: (slot) => this.#ownerOf(slot),
      isCancelled: () => this.isClosed
    }, this.#backoff, this.#options)
    const state = this.#state
    if (state.name === 'closed') {
      slot.leave()
      throw errorOf(state.ended)
    }
    this.#state = { name: 'declared', slot, isDropped: false }
    this.#declarations++
    this.#backoff.reset()
    if (this.#outbox.hasQueued) this.#flushing.plan()
    return slot.connection
  }

  // Declares the publisher again for what is queued. Without a reference the first failure is the answer. With one the
  // attempts continue until the deadlines of the requests have emptied the queue.
  #recover (attempt: Promise<Connection> | undefined): void {
    void this.#untilDeclared(this.#state = { name: 'recovering', attempt })
  }

  // Never rejects. It ends when another state has come: a declaration, another recovery after that, or the close.
  async #untilDeclared (recovering: Recovering): Promise<void> {
    while (this.#state === recovering && this.#outbox.hasQueued) {
      try {
        await this.open()
      } catch (error) {
        if (this.#state !== recovering) return // closed: a pause would only hold up the end of the process
        const failure = classify(error)
        if (this.reference !== undefined && failure.retryable) await pause(this.#backoff.nextMs())
        else this.#outbox.failQueued(failure)
      }
    }
    if (this.#state !== recovering) return
    this.#state = recovering.attempt === undefined ? IDLE : { name: 'opening', attempt: recovering.attempt }
  }

  // The broker's words about an earlier declaration may still be on their way and must not touch the present one. While
  // the publisher is being declared, a loss makes that request fail by itself.
  #ownerOf (slot: () => Slot): SlotOwner {
    const isPresent = (): boolean => this.#state.name === 'declared' && this.#state.slot === slot()
    return {
      stream: this.stream,
      isNamed: this.reference !== undefined,
      confirmed: (publishingIds) => { if (isPresent()) this.#confirmed(publishingIds) },
      publishFailed: (publishingId, responseCode) => {
        if (isPresent()) this.#publishFailed(publishingId, responseCode)
      },
      silent: () => { if (isPresent() && this.#outbox.isEmpty) this.#renew() },
      drained: () => { if (isPresent() && this.#outbox.hasQueued) this.#flushing.plan() },
      lost: (error) => { if (isPresent()) this.#lost(error) }
    }
  }

  #confirmed (publishingIds: PublishingIds): void {
    this.#outbox.confirm(publishingIds)
    this.#lastConfirmMs = performance.now()
    this.lastUsedMs = this.#lastConfirmMs
  }

  #publishFailed (publishingId: number, responseCode: number): void {
    const isUnknownPublisher = responseCode === ResponseCode.publisherDoesNotExist
    if (isUnknownPublisher) this.#replaceLater()
    if (isUnknownPublisher && this.reference !== undefined) return // sent again with the new declaration
    this.#outbox.fail(publishingId, classifyResponseCode(responseCode))
  }

  // The broker has dropped this publisher: what is queued needs a new declaration. That waits for the end of this turn,
  // in which the errors of the same frame still arrive and say that their messages are not stored.
  #replaceLater (): void {
    const declared = this.#state
    if (declared.name !== 'declared' || declared.isDropped) return
    declared.isDropped = true
    setImmediate(() => {
      if (this.#state !== declared) return
      declared.slot.leave()
      this.#lost(classifyResponseCode(ResponseCode.streamNotAvailable))
    })
  }

  // Not one confirm has come since before the message that waited longest: the broker may have lost the leader without
  // a word of it. A new declaration finds the present leader. It costs nothing when the reason was another one.
  #renew (): void {
    const state = this.#state
    if (state.name !== 'declared') return
    this.#lost(new StreamsError('stream_not_available', 'the broker no longer confirms messages'))
    state.slot.leave()
  }

  #lost (error: StreamsError): void {
    this.#state = IDLE
    this.#options.locator.forget(this.stream)
    this.#outbox.loseFlights(error)
    if (this.#outbox.hasQueued) this.#recover(undefined)
  }

  #flush (): void {
    const state = this.#state
    if (state.name !== 'declared') return
    try {
      this.#outbox.sendTo(state.slot.connection, state.slot.id)
    } catch (error) {
      state.slot.leave()
      this.#lost(classify(error, 'possible'))
    }
  }
}
