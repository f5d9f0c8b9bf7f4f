import type { Ledger } from './ledger.ts'

/** How often each message of some ledgers was seen, and in which order. */
export class Tally {
  readonly #ledgers: ReadonlyMap<string, Ledger>
  readonly #counts = new Map<string, Uint16Array>()
  readonly #last = new Map<string, number>()
  /** Messages seen. */
  seen = 0
  /** Messages that came after a later one of the same publisher. */
  outOfOrder = 0
  /** Bodies that no ledger knows. */
  readonly strangers: string[] = []

  constructor (ledgers: readonly Ledger[]) {
    this.#ledgers = new Map(ledgers.map((ledger) => [ledger.publisher, ledger]))
  }

  add (body: string): void {
    this.seen++
    const colon = body.lastIndexOf(':')
    const ledger = this.#ledgers.get(body.slice(0, colon))
    const number = Number(body.slice(colon + 1))
    if (ledger === undefined || !Number.isSafeInteger(number) || number < 0 || number >= ledger.sent) {
      this.strangers.push(body.slice(0, 100))
      return
    }
    const counts = this.#countsOf(ledger, number)
    counts[number] = (counts[number] ?? 0) + 1
    if (number < (this.#last.get(ledger.publisher) ?? -1)) this.outOfOrder++
    this.#last.set(ledger.publisher, number)
  }

  timesSeen (ledger: Ledger, number: number): number {
    return this.#counts.get(ledger.publisher)?.[number] ?? 0
  }

  #countsOf (ledger: Ledger, number: number): Uint16Array {
    const counts = this.#counts.get(ledger.publisher) ?? new Uint16Array(ledger.sent)
    if (number < counts.length) {
      this.#counts.set(ledger.publisher, counts)
      return counts
    }
    const larger = new Uint16Array(Math.max(ledger.sent, counts.length * 2))
    larger.set(counts)
    this.#counts.set(ledger.publisher, larger)
    return larger
  }
}
