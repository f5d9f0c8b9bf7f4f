import type { Ledger } from './ledger.ts'

/** How often each message of some ledgers was seen, and in which order. */
export class Tally {
  readonly #ledgers: ReadonlyMap<string, { ledger: Ledger, sights: Sights }>
  /** Messages seen. */
  seen = 0
  /** Messages of named publishers that came after a later one of the same publisher. */
  outOfOrder = 0
  /** Messages that came for the first time after a later one of the same request. */
  readonly disordered: string[] = []
  /** Bodies that no ledger knows. */
  readonly strangers: string[] = []

  constructor (ledgers: readonly Ledger[]) {
    this.#ledgers = new Map(ledgers.map((ledger) => [ledger.publisher, { ledger, sights: new Sights() }]))
  }

  add (body: string): void {
    this.seen++
    const colon = body.lastIndexOf(':')
    const known = this.#ledgers.get(body.slice(0, colon))
    const number = Number(body.slice(colon + 1))
    if (known === undefined || !Number.isSafeInteger(number) || number < 0 || number >= known.ledger.sent) {
      this.strangers.push(body.slice(0, 100))
      return
    }
    const { ledger: { batch, isNamed }, sights } = known
    const place = number % batch
    const request = Math.floor(number / batch)
    // A message that was delivered twice comes after later messages and is counted as repeated; its request need not be
    // out of order.
    if (sights.times.at(number) === 0 && place + 1 < sights.highest.at(request)) this.disordered.push(body)
    // Without a name, requests may change places when a connection is lost between them.
    if (isNamed && number < sights.last) this.outOfOrder++
    sights.times.set(number, sights.times.at(number) + 1)
    sights.highest.set(request, Math.max(sights.highest.at(request), place + 1))
    sights.last = number
  }

  timesSeen ({ publisher }: Ledger, number: number): number {
    return this.#ledgers.get(publisher)?.sights.times.at(number) ?? 0
  }
}

/** What was seen of one publisher. */
class Sights {
  /** How often, by message. */
  readonly times = new Figures()
  /** The highest place in it that was seen, from 1, by request. */
  readonly highest = new Figures()
  /** The message that came last. */
  last = -1
}

/** Small numbers by index, 0 where none was set: two bytes each. */
class Figures {
  #numbers = new Uint16Array(1024)

  at (index: number): number {
    return this.#numbers[index] ?? 0
  }

  set (index: number, number: number): void {
    if (index >= this.#numbers.length) {
      const larger = new Uint16Array(Math.max(index + 1, this.#numbers.length * 2))
      larger.set(this.#numbers)
      this.#numbers = larger
    }
    this.#numbers[index] = number
  }
}
