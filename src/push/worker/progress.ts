import { Backoff, StreamsError, pause, type Broker } from '../../streams/index.ts'
import type { Seat } from '../ownership/seat.ts'

const IDLE_MS = 1000
const LOOK_MS = 30_000
const FRESH_LOOK_MS = 50
const FIRST_PAUSE_MS = 250
const MAX_PAUSE_MS = 5000

export interface ProgressOptions {
  readonly seat: Seat
  readonly broker: Broker
  /** The API's name. */
  readonly stream: string
  readonly consumer: string
  readonly everyMs: number
  readonly everyMessages: number
  /** Another program has stored this next offset. */
  readonly moved: (nextOffset: number) => void
  /** Nothing is stored any longer. */
  readonly forgotten: () => void
}

/** The place of a consumer, as the broker keeps it. Only one process at a time stores it: the one that has the seat. */
export class Progress {
  readonly #options: ProgressOptions
  readonly #streamOnBroker: string
  readonly #backoff = new Backoff(FIRST_PAUSE_MS, MAX_PAUSE_MS)
  #next = 0
  // What may be stored: more than one while it is not known whether a store has succeeded.
  #known: Set<number | undefined> | undefined
  #found: number | undefined
  #unsaved = 0
  #isDirty = false
  #hasMoved = false
  #isClosed = false
  #isForgotten = false
  #hasBegun = false
  #storing: Promise<void> | undefined
  #storedAtMs = performance.now()
  #reachedAtMs = 0
  #lookedAtMs = performance.now()
  #notBeforeMs = 0
  #failure: string | undefined

  constructor (options: ProgressOptions) {
    this.#options = options
    this.#streamOnBroker = options.broker.streams.nameOnBroker(options.stream)
  }

  /** Everything before this offset is settled. */
  get next (): number {
    return this.#next
  }

  /** Why what is settled cannot be stored at the moment. */
  get failure (): string | undefined {
    return this.#failure
  }

  /** Whether as much is settled without being stored as may be sent again after a takeover. */
  get isFull (): boolean {
    return this.#unsaved >= 2 * this.#options.everyMessages || (this.#failure !== undefined && this.#unsaved > 0)
  }

  /**
   * Where to continue: in its own place, or in the one that the broker has; undefined when nothing is stored. `moved`:
   * another program has stored something, and the worker was told.
   *
   * @throws StreamsError
   */
  async place (): Promise<number | 'moved' | undefined> {
    const { seat, consumer } = this.#options
    const stored = await seat.stored(this.#streamOnBroker, consumer)
    if (this.#known?.has(stored) === true) return this.#next
    if (this.#known !== undefined && stored !== undefined) {
      this.#moved(stored)
      return 'moved'
    }
    this.#isForgotten = false
    this.#known = undefined
    this.#found = stored
    return stored === undefined ? undefined : nextOf(stored)
  }

  /** It begins here. @param isStored false: the broker does not have it yet */
  begin (next: number, isStored = true): void {
    this.#known ??= new Set([this.#found])
    this.#hasBegun = true
    if (this.#next !== next) this.#unsaved = 0
    this.#next = next
    this.#isDirty ||= !isStored
  }

  /** The place that it had reached; undefined before it has begun. */
  get reachedUntilNow (): number | undefined {
    return this.#hasBegun ? this.#next : undefined
  }

  /** Whether the broker has something of it. */
  get isStored (): boolean {
    return this.#known?.has(undefined) !== true
  }

  /** The stream is another one: its place there is not known. */
  forget (): void {
    this.#known = undefined
    this.#found = undefined
    this.#hasBegun = false
  }

  /** Everything before the offset is settled, which were these messages. */
  reached (next: number, messages: number): void {
    this.#next = next
    this.#unsaved += messages
    this.#isDirty = true
    this.#hasMoved = true
    if (this.#unsaved >= this.#options.everyMessages) this.storeSoon()
  }

  /** Stores when it is time to, and looks now and then whether another program has stored something. */
  tick (nowMs: number): void {
    const isIdle = !this.#hasMoved
    if (this.#hasMoved) this.#reachedAtMs = nowMs
    this.#hasMoved = false
    if (nowMs < this.#notBeforeMs) return
    if (this.#isDirty) {
      const isDue = nowMs - this.#storedAtMs >= this.#options.everyMs ||
        (isIdle && nowMs - this.#reachedAtMs >= IDLE_MS)
      if (isDue) this.storeSoon()
    } else if (nowMs - this.#lookedAtMs >= LOOK_MS) {
      this.storeSoon()
    }
  }

  /** As `store`, without waiting for it. What fails is tried again. */
  storeSoon (): void {
    if (performance.now() >= this.#notBeforeMs) void this.store().catch(() => {})
  }

  /** Settles when all that was settled before the call is stored. @throws StreamsError; the reason of a lost seat */
  async store (): Promise<void> {
    // What is being stored may have been settled before.
    if (this.#storing !== undefined) await this.#storing.catch(() => {})
    if (this.#isClosed || this.#isForgotten || this.#known === undefined) return
    await (this.#storing ??= this.#storeNow().finally(() => { this.#storing = undefined }))
  }

  /** From now on nothing is stored. */
  close (): void {
    this.#isClosed = true
  }

  async #storeNow (): Promise<void> {
    try {
      await this.#storeOnce()
      this.#failure = undefined
      this.#backoff.reset()
    } catch (error) {
      this.#failure = error instanceof StreamsError ? error.message : 'the right to deliver was lost'
      this.#notBeforeMs = performance.now() + this.#backoff.nextMs()
      throw error
    }
  }

  async #storeOnce (): Promise<void> {
    const { seat, consumer } = this.#options
    await untilFresh(seat)
    this.#lookedAtMs = performance.now()
    const stored = await seat.stored(this.#streamOnBroker, consumer)
    const known = this.#known
    if (this.#isClosed || known === undefined) return
    if (!known.has(stored)) {
      if (stored !== undefined) return this.#moved(stored)
      this.#isForgotten = true
      this.#options.forgotten()
      return
    }
    const next = this.#next
    const unsaved = this.#unsaved
    if (!this.#isDirty) return
    this.#isDirty = false
    try {
      const offset = Math.max(next - 1, 0)
      if (stored !== offset || known.size > 1) {
        await untilFresh(seat)
        known.add(offset)
        await seat.store(this.#streamOnBroker, consumer, offset)
      }
      this.#known = new Set([offset])
      if (next === 1) await this.#tellZero(this.#known)
    } catch (error) {
      this.#isDirty = true
      throw error
    }
    this.#storedAtMs = performance.now()
    this.#unsaved -= unsaved
  }

  #moved (stored: number): void {
    this.#isClosed = true
    this.#options.moved(nextOf(stored))
  }

  // A stored 0 stands for "nothing is processed" and for "message 0 is". Where the broker's own record has offset 1, a
  // stored 1 says the second.
  async #tellZero (known: Set<number | undefined>): Promise<void> {
    const { broker, stream, consumer } = this.#options
    known.add(1)
    const { storedOffset } = await broker.consumers.storeOffset(stream, consumer, 0)
    this.#known = new Set([Number(storedOffset)])
  }
}

/** Settles when it is certain that the seat is held. @throws the reason when it is lost */
export async function untilFresh (seat: Seat, signal?: AbortSignal): Promise<void> {
  while (!seat.isFresh()) {
    seat.lost.throwIfAborted()
    signal?.throwIfAborted()
    await pause(FRESH_LOOK_MS, signal)
  }
  seat.lost.throwIfAborted()
}

function nextOf (stored: number): number {
  return stored === 0 ? 0 : stored + 1
}
