import { canFilter, filtersUnsupported } from '../connections/filtering.ts'
import type { Entries } from '../entries.ts'
import { StreamsError } from '../errors.ts'
import type { Connection, PublishingIds, PublishVersion } from '../protocol/index.ts'
import { Flights } from './flights.ts'
import { maxEntryBytes, messageTooLarge } from './message-size.ts'
import { callerLeft, type BatchOutcome } from './outcome.ts'

// More than this in the socket's own buffer means that the broker does not read. What is not written there can still be
// taken back and reported as not sent.
const MAX_SOCKET_BUFFER_BYTES = 1024 * 1024

interface Frame {
  readonly entries: Buffer[]
  count: number
  version: PublishVersion
}

/** A batch that is to be sent. */
export interface Outgoing {
  readonly batch: Entries
  readonly outcome: BatchOutcome
  /**
   * Aborts when the caller has left: what was not sent by then is not sent. It is looked at and not listened to,
   * because a listener costs a twentieth of a small publish.
   */
  readonly signal: AbortSignal | undefined
}

// A batch, or the rest of one, that is not on its way yet. `base`: index i has publishing id base + i. It is set once a
// message of the batch was sent.
interface Queued extends Outgoing {
  from: number
  base: number | undefined
}

/**
 * A publisher's messages: those that wait to be sent, and those that were sent and not answered. It gives them
 * publishing ids, fills frames, and knows which message a confirm belongs to. The publisher decides when and where
 * frames are sent.
 */
export class Outbox {
  readonly #isNamed: boolean
  readonly #queue: Queued[] = []
  readonly #flights = new Flights()
  #nextId = 1

  /** @param isNamed what was sent is kept, because it may be sent again with the same ids */
  constructor (isNamed: boolean) {
    this.#isNamed = isNamed
  }

  /** True when nothing waits and nothing is on its way. */
  get isEmpty (): boolean {
    return this.#queue.length === 0 && this.#flights.isEmpty
  }

  get hasQueued (): boolean {
    return this.#queue.length > 0
  }

  add ({ batch, outcome, signal }: Outgoing, from: number): void {
    this.#queue.push({ outcome, batch, signal, from, base: undefined })
  }

  /** Sends what is queued, as far as the socket takes it. @throws ConnectionClosedError */
  sendTo (connection: Connection, publisherId: number): void {
    while (this.hasQueued && connection.isOpen && connection.bufferedBytes < MAX_SOCKET_BUFFER_BYTES) {
      const frame: Frame = { entries: [], count: 0, version: 1 }
      this.#fill(frame, connection)
      if (frame.count > 0) connection.publish(publisherId, frame.count, frame.entries, frame.version)
    }
  }

  // Moves queued messages into the entries of a frame. Each is registered as on its way before a byte of it is written:
  // a confirm may come at once.
  #fill (frame: Frame, connection: Connection): void {
    const roomBytes = maxEntryBytes(connection)
    let room = roomBytes
    for (let queued = this.#queue[0]; queued !== undefined; queued = this.#queue[0]) {
      const { batch, outcome, from } = queued
      if (this.#dropIfAbandoned(queued) || outcome.isSettled) { // settled: given up while it waited to be sent again
        this.#queue.shift()
        continue
      }
      const version = batch.versionOf(from)
      if (frame.count > 0 && version !== frame.version) break // the next frame
      frame.version = version
      const end = batch.versionEnd(from)
      let to = from
      let length = 0
      while (to < end && length + batch.entryLength(to) <= room) length += batch.entryLength(to++)
      const isRefused = version === 2 && !canFilter(connection)
      if (to === from || isRefused) {
        if (frame.count > 0) break // the next frame
        // The batch was checked against another connection, to another node.
        const failure = isRefused ? filtersUnsupported() : messageTooLarge(outcome.messageIndex(from), roomBytes)
        outcome.failRest('failed', failure, from)
        this.#queue.shift()
        continue
      }
      this.#addFlight(queued, to)
      frame.entries.push(batch.entries(from, to))
      frame.count += to - from
      room -= length
      queued.from = to
      if (to === batch.count) this.#queue.shift()
      else break
    }
  }

  confirm (publishingIds: PublishingIds): void {
    for (let at = 0; at < publishingIds.length; at++) {
      const answered = this.#flights.answer(publishingIds.at(at))
      answered?.outcome.confirm(answered.index)
    }
  }

  fail (publishingId: number, failure: StreamsError): void {
    const answered = this.#flights.answer(publishingId)
    answered?.outcome.fail(answered.index, 'failed', failure)
  }

  /** Takes back what was never sent; its outcome is `failed`. */
  takeBack (outcome: BatchOutcome, notSent: StreamsError): void {
    for (let at = this.#queue.length - 1; at >= 0; at--) {
      const queued = this.#queue[at]
      if (queued?.outcome !== outcome) continue
      if (this.#mayBeSent(queued)) continue
      outcome.failUnsent(notSent, queued.from)
      this.#queue.splice(at, 1)
    }
  }

  /** Takes back messages whose callers have left. */
  dropAbandoned (): void {
    for (let at = this.#queue.length - 1; at >= 0; at--) {
      const queued = this.#queue[at]
      if (queued !== undefined && this.#dropIfAbandoned(queued)) this.#queue.splice(at, 1)
    }
  }

  /**
   * Ignores what the broker still says of these messages, and does not send them again: a caller may send the same ids.
   */
  forget (outcome: BatchOutcome): void {
    if (!this.#isNamed) return
    this.#flights.forget(outcome)
    const at = this.#queue.findIndex((queued) => queued.outcome === outcome)
    if (at >= 0) this.#queue.splice(at, 1)
  }

  /**
   * The connection is lost, and with it the answers to messages on their way. With a name they are queued to be sent
   * again; without one their outcome is `unknown`.
   */
  loseFlights (error: StreamsError): void {
    const flights = this.#flights.drain()
    if (this.#isNamed) {
      this.#requeue(flights)
      return
    }
    const unknown = new StreamsError(error.code, error.message, {
      sideEffects: 'possible',
      retryable: true,
      cause: error
    })
    for (const flight of flights) flight.outcome.failRest('unknown', unknown, flight.from, flight.to)
  }

  /** Gives everything that is queued its last outcome: it cannot be sent. */
  failQueued (failure: StreamsError): void {
    for (const { outcome, from, base } of this.#queue.splice(0)) {
      if (base === undefined || !this.#isNamed) outcome.failUnsent(failure, from)
      else {
        outcome.failRest(
          'unknown',
          new StreamsError(failure.code, failure.message, { sideEffects: 'possible', cause: failure })
        )
      }
    }
  }

  /** Gives everything that has no outcome yet its last one. */
  close (failure: StreamsError): void {
    const unknown = failure.afterSideEffects()
    for (const { outcome, from, to } of this.#flights.drain()) outcome.failRest('unknown', unknown, from, to)
    this.failQueued(failure)
  }

  // Messages that are sent again go in front of those that were never sent, in the old order: publishing ids have to
  // ascend. What counted as stored is sent as well, because the stream may come back without it.
  #requeue (flights: ReturnType<Flights['drain']>): void {
    const again: Queued[] = []
    for (const { outcome, batch } of flights) {
      if (batch === undefined || outcome.isSettled || again.at(-1)?.outcome === outcome) continue
      outcome.expectDuplicates(0)
      again.push({ outcome, batch, signal: undefined, from: outcome.firstPending, base: 0 })
    }
    for (const queued of this.#queue) {
      queued.outcome.expectDuplicates(0)
      queued.from = queued.outcome.firstPending
    }
    const last = again.at(-1)
    const first = this.#queue[0]
    if (last !== undefined && first?.outcome === last.outcome) this.#queue.shift() // its rest goes with it
    this.#queue.unshift(...again)
  }

  #dropIfAbandoned (queued: Queued): boolean {
    if (queued.signal?.aborted !== true || this.#mayBeSent(queued)) return false
    queued.outcome.failUnsent(callerLeft(), queued.from)
    return true
  }

  // True when a message of it was sent before, over a connection that was lost: then it stays.
  #mayBeSent ({ base }: Queued): boolean {
    return base !== undefined && this.#isNamed
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
    this.#flights.add({
      outcome,
      batch: this.#isNamed ? batch : undefined,
      from,
      to,
      firstId,
      lastId,
      unanswered: to - from
    })
  }
}
