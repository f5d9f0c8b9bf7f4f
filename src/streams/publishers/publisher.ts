import { classify, classifyResponseCode } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import type { Locator } from '../connections/locator.ts'
import type { Slot, SlotOwner } from '../connections/shared-connection.ts'
import { Backoff, Deadline, pause } from '../deadline.ts'
import { StreamsError } from '../errors.ts'
import type { MessageBatch } from '../message-batch.ts'
import { Mutex } from '../mutex.ts'
import { PUBLISH_FRAME_OVERHEAD_BYTES, ResponseCode, ResponseError } from '../protocol/index.ts'
import type { Connection, PublishingIds } from '../protocol/index.ts'
import { Flights } from './flights.ts'
import type { BatchOutcome } from './outcome.ts'

export interface PublisherOptions {
  connections: ConnectionPool
  locator: Locator
  reconnectDelayMs: number
  maxReconnectDelayMs: number
  /** How long opening may go on while the stream has no leader. */
  openTimeoutMs: number
}

// A batch, or what is left of it, that is not on its way yet. `base`: index i has publishing id base + i.
interface Queued {
  readonly outcome: BatchOutcome
  readonly batch: MessageBatch
  from: number
  base: number | undefined
}

// More than this in the socket's own buffer means that the broker does not read: what is not written there can still be
// taken back and reported as not sent.
const MAX_SOCKET_BUFFER_BYTES = 1024 * 1024

/**
 * One publisher of a stream on the broker, shared by all requests for the stream (without a reference) or for the publisher name.
 * What is queued in one turn of the event loop leaves in one frame, as far as frame_max allows.
 *
 * When the connection or the leader is lost, what was on its way gets the outcome `unknown`. Only with a reference is it sent again,
 * with the same ids: the broker then drops what it has already, and confirms that when it is committed.
 */
export class Publisher {
  readonly stream: string
  readonly reference: string | undefined
  readonly #options: PublisherOptions
  readonly #backoff: Backoff
  readonly #queue: Queued[] = []
  readonly #flights = new Flights()
  #slot: Slot | undefined
  #opening: Promise<Connection> | undefined
  #nextId = 1
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
    this.#backoff = new Backoff(options.reconnectDelayMs, options.maxReconnectDelayMs)
  }

  get isIdle (): boolean {
    return this.users === 0 && this.#queue.length === 0 && this.#flights.isEmpty && this.#opening === undefined
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
   * @throws StreamsError `message_too_large` when a message does not fit into a frame; nothing of the batch is then sent
   */
  send (batch: MessageBatch, outcome: BatchOutcome, from = 0): void {
    if (this.#slot !== undefined) refuseTooLarge(batch, maxEntryBytes(this.#slot.connection))
    this.#queue.push({ outcome, batch, from, base: undefined })
    if (this.#slot === undefined) this.#recover()
    else this.#planFlush()
  }

  /** Nobody waits any longer: what is not on its way is taken back, the outcome of the rest is `unknown`. */
  giveUp (outcome: BatchOutcome, notSent: StreamsError, sent: StreamsError): void {
    this.takeBack(outcome, notSent)
    const standsStill = !outcome.isSettled && this.#lastConfirmMs < outcome.startedMs
    outcome.failRest('unknown', sent)
    if (standsStill) this.#renew()
    if (this.reference !== undefined) this.#flights.forget(outcome) // a caller may send the same ids again
  }

  /** Takes back what was never sent; its outcome is `failed`. */
  takeBack (outcome: BatchOutcome, notSent: StreamsError): void {
    for (let at = this.#queue.length - 1; at >= 0; at--) {
      const queued = this.#queue[at]
      if (queued?.outcome !== outcome) continue
      if (queued.base !== undefined && this.reference !== undefined) continue // may have been sent before: it stays
      outcome.failRest('failed', notSent, queued.from)
      this.#queue.splice(at, 1)
    }
  }

  /** Deletes the publisher on the broker. */
  async close (): Promise<void> {
    this.#isClosed = true
    const slot = this.#slot
    this.#slot = undefined
    const stopping = new StreamsError('draining', 'the gateway is stopping', { sideEffects: 'possible' })
    for (const { outcome, from, to } of this.#flights.drain()) outcome.failRest('unknown', stopping, from, to)
    for (const { outcome, from } of this.#queue.splice(0)) outcome.failRest('failed', new StreamsError('draining', 'the gateway is stopping'), from)
    if (slot !== undefined) await deletePublisher(slot)
  }

  #confirmed (publishingIds: PublishingIds): void {
    for (let at = 0; at < publishingIds.length; at++) {
      const answered = this.#flights.answer(publishingIds.at(at))
      answered?.outcome.confirm(answered.index)
    }
    this.#lastConfirmMs = performance.now()
    this.lastUsedMs = this.#lastConfirmMs
  }

  #publishFailed (publishingId: number, responseCode: number): void {
    const isUnknownPublisher = responseCode === ResponseCode.publisherDoesNotExist
    if (isUnknownPublisher) this.#planRedeclare()
    if (isUnknownPublisher && this.reference !== undefined) return // goes again with the new declaration
    const answered = this.#flights.answer(publishingId)
    answered?.outcome.fail(answered.index, 'failed', classifyResponseCode(responseCode))
  }

  #lost (error: StreamsError): void {
    this.#slot = undefined
    this.#options.locator.forget(this.stream)
    const flights = this.#flights.drain()
    if (this.reference === undefined) {
      const unknown = new StreamsError(error.code, error.message, { sideEffects: 'possible', retryable: true, cause: error })
      for (const flight of flights) flight.outcome.failRest('unknown', unknown, flight.from, flight.to)
    } else {
      this.#requeue(flights)
    }
    if (this.#queue.length > 0) this.#recover()
  }

  // The broker has dropped this publisher: what is queued needs a new declaration. Only after this turn, in which the errors of the
  // same frame still arrive and say that their messages are not stored.
  #planRedeclare (): void {
    const slot = this.#slot
    if (slot === undefined || this.#isRedeclarePlanned) return
    this.#isRedeclarePlanned = true
    setImmediate(() => {
      this.#isRedeclarePlanned = false
      if (this.#slot !== slot) return
      slot.release()
      this.#lost(classifyResponseCode(ResponseCode.streamNotAvailable))
    })
  }

  // Not one confirm since before the message that waited longest: the broker may have lost the leader without a word of it. A new declaration
  // finds the leader of now. It costs nothing when the reason was another one.
  #renew (): void {
    const slot = this.#slot
    if (slot === undefined) return
    this.#lost(new StreamsError('stream_not_available', 'the broker has stopped to confirm messages'))
    deletePublisher(slot).catch(() => {}) // it never rejects
  }

  // In front of what was never sent, in the old order: publishing ids have to ascend.
  #requeue (flights: ReturnType<Flights['drain']>): void {
    const again: Queued[] = []
    for (const { outcome, batch } of flights) {
      if (batch === undefined || outcome.isSettled || again.at(-1)?.outcome === outcome) continue
      again.push({ outcome, batch, from: outcome.firstPending, base: 0 })
    }
    const last = again.at(-1)
    const first = this.#queue[0]
    if (last !== undefined && first?.outcome === last.outcome) this.#queue.shift() // its rest goes with it
    this.#queue.unshift(...again)
  }

  // Declares the publisher again for what is queued. Without a reference one failure is the answer; with one it goes on until the
  // requests' own deadlines have emptied the queue.
  #recover (): void {
    if (this.#isRecovering) return
    this.#isRecovering = true
    this.#reopen().then(() => { this.#planFlush() }, (error: unknown) => { this.#failQueue(classify(error)) })
      .finally(() => { this.#isRecovering = false })
      .catch(() => {}) // neither branch throws
  }

  async #reopen (): Promise<void> {
    while (this.#queue.length > 0) {
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

  #failQueue (failure: StreamsError): void {
    for (const { outcome, from, base } of this.#queue.splice(0)) {
      if (base === undefined || this.reference === undefined) outcome.failRest('failed', failure, from)
      else outcome.failRest('unknown', new StreamsError(failure.code, failure.message, { sideEffects: 'possible', cause: failure }))
    }
  }

  async #open (): Promise<Connection> {
    const deadline = new Deadline(this.#options.openTimeoutMs)
    for (let isFirst = true; ; isFirst = false) {
      try {
        return await this.#declare()
      } catch (error) {
        const failure = declareFailure(error)
        this.#options.locator.forget(this.stream)
        // The location may have been an old one: ask once more. A stream without a leader usually gets one within a second or two.
        const isWorthWaiting = failure.code === 'stream_not_available' && !deadline.hasPassed
        if (this.#isClosed || !(isWorthWaiting || (isFirst && failure.retryable))) throw failure
        await pause(isFirst ? 0 : this.#backoff.nextMs())
      }
    }
  }

  async #declare (): Promise<Connection> {
    const { connections, locator } = this.#options
    const slot = await connections.takeSlot('publish', await locator.leader(this.stream), this.#ownerOf(() => slot))
    try {
      await slot.connection.declarePublisher(slot.id, this.reference ?? '', this.stream)
    } catch (error) {
      slot.release()
      throw error
    }
    // Between the broker's answer and this line the stream may have gone again.
    if (!slot.isHeld) throw new StreamsError('stream_not_available', 'the stream lost its leader')
    if (this.#isClosed) {
      slot.release()
      throw new StreamsError('draining', 'the gateway is stopping')
    }
    this.#slot = slot
    this.#backoff.reset()
    return slot.connection
  }

  // What the broker says of an earlier declaration, which may still be on its way out, must not touch the present one.
  #ownerOf (slot: () => Slot): SlotOwner {
    const whenPresent = (act: () => void): void => { if (this.#slot !== undefined && this.#slot === slot()) act() }
    return {
      stream: this.stream,
      confirmed: (publishingIds) => { whenPresent(() => { this.#confirmed(publishingIds) }) },
      publishFailed: (publishingId, responseCode) => { whenPresent(() => { this.#publishFailed(publishingId, responseCode) }) },
      drained: () => { whenPresent(() => { if (this.#queue.length > 0) this.#planFlush() }) },
      lost: (error) => { whenPresent(() => { this.#lost(error) }) } // while it is being declared, that request fails by itself
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
      while (this.#queue.length > 0 && connection.isOpen && connection.bufferedBytes < MAX_SOCKET_BUFFER_BYTES) {
        const entries: Buffer[] = []
        const count = this.#fillFrame(entries, maxEntryBytes(connection))
        if (count > 0) connection.publish(id, count, entries)
      }
    } catch (error) {
      slot.release()
      this.#lost(classify(error, 'possible'))
    }
  }

  // Moves queued messages into a frame's entries. Each is registered as on its way before a byte of it is written: a confirm may be quick.
  #fillFrame (entries: Buffer[], roomBytes: number): number {
    let count = 0
    let room = roomBytes
    for (let queued = this.#queue[0]; queued !== undefined; queued = this.#queue[0]) {
      const { batch, outcome, from } = queued
      if (outcome.isSettled) { // given up while it waited to be sent again
        this.#queue.shift()
        continue
      }
      let to = from
      let length = 0
      while (to < batch.count && length + batch.entryLength(to) <= room) length += batch.entryLength(to++)
      if (to === from) {
        if (count > 0) break // the next frame
        // It was checked against another connection's frame_max than this one's.
        outcome.failRest('failed', messageTooLarge(from, roomBytes), from)
        this.#queue.shift()
        continue
      }
      this.#addFlight(queued, to)
      entries.push(batch.entries(from, to))
      count += to - from
      room -= length
      queued.from = to
      if (to === batch.count) this.#queue.shift()
      else break
    }
    return count
  }

  #addFlight (queued: Queued, to: number): void {
    const { batch, outcome, from } = queued
    const ids = batch.publishingIds
    if (queued.base === undefined) {
      queued.base = this.#nextId - from
      if (ids === undefined) batch.numberFrom(queued.base)
    }
    const firstId = ids?.[from] ?? queued.base + from
    const lastId = ids?.[to - 1] ?? queued.base + to - 1
    if (ids === undefined) this.#nextId = lastId + 1
    this.#flights.add({ outcome, batch: this.reference === undefined ? undefined : batch, from, to, firstId, lastId, unanswered: to - from })
  }
}

// An id whose publisher the broker may still have is not given to another one.
async function deletePublisher (slot: Slot): Promise<void> {
  try {
    if (slot.connection.isOpen) await slot.connection.deletePublisher(slot.id)
    slot.release()
  } catch {
    if (!slot.connection.isOpen) slot.release()
  }
}

function maxEntryBytes (connection: Connection): number {
  return connection.frameMaxBytes - PUBLISH_FRAME_OVERHEAD_BYTES
}

function refuseTooLarge (batch: MessageBatch, maxBytes: number): void {
  if (batch.byteLength <= maxBytes) return
  for (let index = 0; index < batch.count; index++) {
    if (batch.entryLength(index) > maxBytes) throw messageTooLarge(index, maxBytes)
  }
}

function messageTooLarge (index: number, maxBytes: number): StreamsError {
  return new StreamsError('message_too_large', `message ${index} does not fit into a frame of the broker: with its properties it may have ${maxBytes - 12} bytes`, {
    details: { index, limitBytes: maxBytes - 12 }
  })
}

// 17 has no other cause here: the ids and the references are this process's own.
function declareFailure (error: unknown): StreamsError {
  if (error instanceof ResponseError && error.responseCode === ResponseCode.preconditionFailed) {
    return new StreamsError('overloaded', 'the broker takes no new publishers: it is out of disk space, or a limit of its own is reached', { cause: error })
  }
  return classify(error)
}
