import { StreamsError } from '../errors.ts'
import type { ConsumerOffsets } from './consumer-offsets.ts'

export interface ConsumerFollowOptions {
  readonly stream: string
  readonly consumer: string
  readonly offsets: Pick<ConsumerOffsets, 'find' | 'store' | 'nextOffsetOf' | 'onReset'>
  /** What is stored at the beginning. */
  readonly stored: bigint | undefined
  /** Stores what was taken. */
  readonly autoCommit: boolean
  /** Called when an offset was stored. */
  readonly committed: () => void
  /** The consumer was reset to this place. */
  readonly moved: (nextOffset: number) => void
}

// How long a reset through another gateway may be overlooked, and how much is taken and not yet stored.
const LOOK_EVERY_MS = 5000

/**
 * The stored offset of a consumer whose client follows the stream. A stored offset that goes back is a reset, wherever
 * it was made. One that goes forward is a commit of the client, unless this process has made the reset.
 */
export class ConsumerFollow {
  readonly #options: ConsumerFollowOptions
  readonly #stopListening: () => void
  #stored: bigint | undefined
  #lookedMs = performance.now()
  #isReset = false
  #work: Promise<void> | undefined
  // How much work is not done.
  #waiting = 0

  constructor (options: ConsumerFollowOptions) {
    this.#options = options
    this.#stored = options.stored
    const { offsets, stream, consumer } = options
    this.#stopListening = offsets.onReset(stream, consumer, () => {
      this.#isReset = true
      this.#begin(async () => { await this.#look() })
    })
  }

  /** To be called every second or so. @param taken the offset before which everything was taken by the client */
  tick (nowMs: number, taken: number): void {
    // A broker that does not answer takes longer than that: what is to be stored must not pile up.
    if (this.#waiting > 0 || nowMs - this.#lookedMs < LOOK_EVERY_MS) return
    this.#lookedMs = nowMs
    this.#begin(async () => { await this.#commit(taken) })
  }

  /** The client has gone, or was told to. Settles when what it has taken is stored. Never throws. */
  async end (taken: number): Promise<void> {
    this.#stopListening()
    await this.#work
    if (this.#isReset || !this.#options.autoCommit) return
    this.#begin(async () => { await this.#commit(taken) })
    await this.#work
  }

  // One after the other. What fails is tried again the next time.
  #begin (work: () => Promise<void>): void {
    this.#waiting++
    this.#work = (this.#work ?? Promise.resolve()).then(work).catch(() => undefined).finally(() => { this.#waiting-- })
  }

  async #commit (taken: number): Promise<void> {
    const { offsets, stream, consumer, autoCommit, committed } = this.#options
    if (this.#isReset || !autoCommit || taken <= this.#resumesAt()) {
      await this.#look()
      return
    }
    try {
      const { storedOffset } = await offsets.store(stream, consumer, taken - 1, this.#stored ?? null)
      this.#stored = storedOffset
      committed()
    } catch (error) {
      if (!(error instanceof StreamsError)) throw error
      if (error.code !== 'expectation_failed' && error.code !== 'offset_goes_back') throw error
      await this.#look()
    }
  }

  #resumesAt (): number {
    const { offsets, stream, consumer } = this.#options
    return this.#stored === undefined ? 0 : Number(offsets.nextOffsetOf(stream, consumer, this.#stored))
  }

  async #look (): Promise<void> {
    const { offsets, stream, consumer, moved } = this.#options
    const isReset = this.#isReset
    const before = this.#stored
    const now = await offsets.find(stream, consumer)
    this.#stored = now
    this.#isReset = false
    // Without a stored offset it was not reset: retention has overtaken it.
    if (now === undefined || !(isReset || (before !== undefined && now < before))) return
    moved(Number(offsets.nextOffsetOf(stream, consumer, now)))
  }
}
