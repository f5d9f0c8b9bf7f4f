import { withAnySignal } from '../any-signal.ts'
import type { Deliverable, DeliveryPort } from './delivery.ts'
import type { Entry } from './window.ts'

/** What one request carries. */
export interface BatchLimits {
  readonly maxMessages: number
  /** At least one message goes, however large. */
  readonly maxBytes: number
  /** How long a message waits for others to come with it. */
  readonly maxWaitMs: number
}

/** Messages that wait to be sent, in their order. */
export class BatchQueue<M extends Deliverable> {
  readonly #limits: BatchLimits
  readonly #bytesOf: (message: M) => number
  readonly #entries: Array<Entry<M>> = []
  #bytes = 0
  #wake: () => void = () => {}

  constructor (limits: BatchLimits, bytesOf: (message: M) => number) {
    this.#limits = limits
    this.#bytesOf = bytesOf
  }

  get first (): Entry<M> | undefined {
    return this.#entries[0]
  }

  add (entry: Entry<M>): void {
    this.#entries.push(entry)
    this.#bytes += this.#bytesOf(entry.message)
    if (this.#isFull) this.#wake()
  }

  /** As many as one request may carry, at least one when there is one. */
  take (): Array<Entry<M>> {
    const { maxMessages, maxBytes } = this.#limits
    let count = 0
    let bytes = 0
    for (const { message } of this.#entries) {
      const length = this.#bytesOf(message)
      if (count > 0 && (count >= maxMessages || bytes + length > maxBytes)) break
      bytes += length
      count++
    }
    this.#bytes -= bytes
    return this.#entries.splice(0, count)
  }

  /** Waits until there is as much as one request may carry, or the time is over. @throws the signal's reason */
  async gather ({ now, sleepUntil }: Pick<DeliveryPort<M>, 'now' | 'sleepUntil'>, signal: AbortSignal): Promise<void> {
    if (this.#isFull) return
    const full = new AbortController()
    this.#wake = () => { full.abort() }
    try {
      const until = now() + this.#limits.maxWaitMs
      await withAnySignal([signal, full.signal], async (any) => { await sleepUntil(until, any) })
    } catch (error) {
      if (!full.signal.aborted) throw error
    } finally {
      this.#wake = () => {}
    }
  }

  get #isFull (): boolean {
    return this.#entries.length >= this.#limits.maxMessages || this.#bytes >= this.#limits.maxBytes
  }
}
