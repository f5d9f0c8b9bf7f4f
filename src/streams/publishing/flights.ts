import type { Entries } from '../entries.ts'
import type { BatchOutcome } from './outcome.ts'

/** The entries `from` to `to` (not included), on their way to the broker in one frame. */
export interface Flight {
  readonly outcome: BatchOutcome
  /** Kept only by publishers that may have to send it again. */
  readonly batch: Entries | undefined
  readonly from: number
  readonly to: number
  readonly firstId: number
  readonly lastId: number
  /** How many entries of the flight the broker has not answered yet. */
  unanswered: number
  /** Which entries it has answered, from the first answer on. */
  answered?: Uint8Array
}

// How many answered flights gather at the front before they are cut off.
const COMPACT_AT = 1024

/**
 * What was sent and not answered, in the order of publishing ids. Confirms come nearly in order, so the flight of the
 * last confirm is looked at first, and only then is the right one searched for.
 */
export class Flights {
  #flights: Flight[] = []
  #head = 0
  #hint = 0

  get isEmpty (): boolean {
    return this.#head === this.#flights.length
  }

  add (flight: Flight): void {
    this.#flights.push(flight)
  }

  /**
   * The outcome and the index in its batch that the id belongs to; counts it as answered. Undefined for an id that was
   * not sent, or was answered before.
   */
  answer (id: number): { outcome: BatchOutcome, index: number } | undefined {
    const flight = this.#find(id)
    if (flight === undefined) return undefined
    const index = indexOf(id, flight)
    if (index === undefined || !takeAnswer(flight, index)) return undefined
    if (flight.unanswered === 0) this.#dropAnswered()
    return { outcome: flight.outcome, index }
  }

  /** Ignores what the broker still says of these messages: their ids may be used again. */
  forget (outcome: BatchOutcome): void {
    this.#flights = this.#flights.slice(this.#head).filter((flight) => flight.outcome !== outcome)
    this.#head = 0
    this.#hint = 0
  }

  /** Takes everything out, oldest first. */
  drain (): Flight[] {
    const rest = this.#flights.slice(this.#head)
    this.#flights = []
    this.#head = 0
    this.#hint = 0
    return rest
  }

  #find (id: number): Flight | undefined {
    const hinted = this.#flights[this.#hint]
    if (hinted !== undefined && id >= hinted.firstId && id <= hinted.lastId) return hinted
    let low = this.#head
    let high = this.#flights.length - 1
    while (low <= high) {
      const middle = (low + high) >>> 1
      const flight = this.#flights[middle]
      if (flight === undefined) return undefined
      if (id < flight.firstId) high = middle - 1
      else if (id > flight.lastId) low = middle + 1
      else {
        this.#hint = middle
        return flight
      }
    }
    return undefined
  }

  #dropAnswered (): void {
    while (this.#flights[this.#head]?.unanswered === 0) this.#head++
    if (this.#head < COMPACT_AT && this.#head < this.#flights.length) return
    this.#flights.splice(0, this.#head)
    this.#hint = Math.max(0, this.#hint - this.#head)
    this.#head = 0
  }
}

// The same answer twice must not count for two entries: the flight would be dropped before its last one is answered,
// or never.
function takeAnswer (flight: Flight, index: number): boolean {
  flight.answered ??= new Uint8Array(flight.to - flight.from)
  const at = index - flight.from
  if (flight.answered[at] !== 0) return false
  flight.answered[at] = 1
  flight.unanswered--
  return true
}

// Ids that the publisher has given follow each other; ids of the caller may have gaps.
function indexOf (id: number, flight: Flight): number | undefined {
  const ids = flight.batch?.publishingIds
  if (ids === undefined) return flight.from + (id - flight.firstId)
  let low = flight.from
  let high = flight.to - 1
  while (low <= high) {
    const middle = (low + high) >>> 1
    const candidate = ids[middle]
    if (candidate === undefined) return undefined
    if (candidate === id) return middle
    if (candidate < id) low = middle + 1
    else high = middle - 1
  }
  return undefined
}
