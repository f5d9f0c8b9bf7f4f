import type { Limits } from '../caller.ts'
import { Quota } from './quota.ts'

// Beyond this number even a quota that is in use may be forgotten, so that memory stays bounded.
const MAX_CALLERS = 10_000
const MIN_SWEEP_INTERVAL_MS = 1000

interface Entry { readonly quota: Quota, limits: Limits }

/** The quotas of all callers, by their names. When there are many, those that are full again are forgotten. */
export class Quotas {
  readonly #entries = new Map<string, Entry>()
  readonly #maxCallers: number
  #sweptMs = -Infinity

  constructor (maxCallers = MAX_CALLERS) {
    this.#maxCallers = maxCallers
  }

  /** How many callers are remembered. */
  get size (): number {
    return this.#entries.size
  }

  /** The quota of a caller, with these limits from now on. */
  of (name: string, limits: Limits, nowMs: number): Quota {
    const known = this.#entries.get(name)
    if (known === undefined) return this.#add(name, limits, nowMs)
    if (known.limits !== limits) {
      known.limits = limits
      known.quota.limit(limits)
    }
    return known.quota
  }

  #add (name: string, limits: Limits, nowMs: number): Quota {
    if (this.#entries.size >= this.#maxCallers) this.#makeRoom(nowMs)
    const quota = new Quota(limits)
    this.#entries.set(name, { quota, limits })
    return quota
  }

  #makeRoom (nowMs: number): void {
    if (nowMs - this.#sweptMs >= MIN_SWEEP_INTERVAL_MS) {
      this.#sweptMs = nowMs
      for (const [name, { quota }] of this.#entries) if (quota.isAtRest(nowMs)) this.#entries.delete(name)
    }
    // Those that came first.
    for (const name of this.#entries.keys()) {
      if (this.#entries.size < this.#maxCallers) return
      this.#entries.delete(name)
    }
  }
}
