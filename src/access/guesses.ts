import { AccessError } from './access-error.ts'
import { addressName } from './address-name.ts'

const WINDOW_MS = 60_000
const MAX_FAILURES = 10
const MAX_ADDRESSES = 10_000

/**
 * Bounds how often an address, or an IPv6 network, may fail to log in. It does not count by user: then everybody could
 * lock out a user.
 * Memory is bounded too: when too many addresses have failed, those that failed first are forgotten.
 */
export class Guesses {
  readonly #now: () => number
  // The times of the last failures, by address; the address that failed last is at the end.
  readonly #failures = new Map<string, number[]>()

  /** @param now milliseconds of any clock that does not go back */
  constructor (now: () => number = () => performance.now()) {
    this.#now = now
  }

  get size (): number {
    return this.#failures.size
  }

  /** @throws AccessError `too_many_requests` */
  refuse (address: string | undefined): void {
    const since = this.#now() - WINDOW_MS
    const times = this.#failures.get(addressName(address))?.filter((ms) => ms > since) ?? []
    if (times.length < MAX_FAILURES) return
    throw new AccessError('too_many_requests', 'too many logins from this address have failed; try again later', {
      reason: 'too many failed logins from the address',
      retryAfterSeconds: WINDOW_MS / 1000
    })
  }

  failed (address: string | undefined): void {
    const name = addressName(address)
    const times = [...this.#failures.get(name) ?? [], this.#now()].slice(-MAX_FAILURES)
    this.#failures.delete(name)
    this.#failures.set(name, times)
    for (const oldest of this.#failures.keys()) {
      if (this.#failures.size <= MAX_ADDRESSES) break
      this.#failures.delete(oldest)
    }
  }
}
