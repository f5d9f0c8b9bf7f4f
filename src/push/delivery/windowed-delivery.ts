import { setMaxListeners } from 'node:events'
import {
  FailureStreak, type Deliverable, type Delivery, type DeliveryPort, type PauseReason, type RetryPolicy, type RetryState
} from './delivery.ts'
import { BatchQueue, type BatchLimits } from './batch-queue.ts'
import { Gate } from './gate.ts'
import { Lane } from './lane.ts'
import { Window, type Entry } from './window.ts'

/** How many messages are taken, from the first one on that is not settled. As many may come again after a takeover. */
export const MAX_WINDOW = 1000

export interface WindowOptions<M extends Deliverable> {
  /** How many requests are in flight at most. */
  readonly concurrency: number
  readonly batch: BatchLimits
  readonly bytesOf: (message: M) => number
}

/** What a delivery lends to its schedule. */
export interface Hands<M extends Deliverable> {
  readonly concurrency: number
  newQueue: () => BatchQueue<M>
  newLane: () => Lane<M>
  /** Waits until a request may be sent that begins with the message. @throws when nothing more is sent */
  free: (entry: Entry<M>) => Promise<void>
  /** Waits until the queue has a whole batch, or the time for that is over. @throws when nothing more is sent */
  gather: (queue: BatchQueue<M>) => Promise<void>
  /** Does some work. What it returns or throws ends the delivery. */
  work: (work: () => Promise<PauseReason | undefined>) => void
}

/** Decides which messages are sent one after the other. */
export interface Schedule<M extends Deliverable> {
  add: (entry: Entry<M>) => void
}

type End = { readonly pause: PauseReason } | { readonly error: unknown } | 'stopped'

/**
 * Delivers several messages at a time. What is settled is told up to the first message that is not; at most
 * `MAX_WINDOW` messages are taken from that one on.
 */
export class WindowedDelivery<M extends Deliverable> implements Delivery<M> {
  readonly #port: DeliveryPort<M>
  readonly #window: Window<M>
  readonly #gate: Gate
  readonly #streak = new FailureStreak()
  readonly #schedule: Schedule<M>
  // Aborts when nothing more is sent.
  readonly #over = new AbortController()
  readonly #lanes = new Set<Lane<M>>()
  #signal: AbortSignal | undefined
  #works = 0
  #end: End | undefined
  // What was known of the first message, until it is settled.
  #known: RetryState | undefined
  #skipOffset: number | undefined
  readonly #waiting: Array<() => void> = []

  /** @param retry the state of the first message, if it was tried before */
  constructor (
    schedule: (hands: Hands<M>) => Schedule<M>, port: DeliveryPort<M>, policy: RetryPolicy, options: WindowOptions<M>,
    retry?: RetryState
  ) {
    this.#port = port
    this.#known = retry
    setMaxListeners(0, this.#over.signal)
    this.#window = new Window((offset, how) => { port.settled(offset, how) })
    this.#gate = new Gate({
      concurrency: options.concurrency,
      delays: policy,
      now: () => port.now(),
      head: () => this.#window.head?.message.offset
    }, retry)
    this.#schedule = schedule(this.#hands(policy, options, retry))
  }

  /** Aborts when nothing more is taken: `deliver` and `finish` then say why. */
  get over (): AbortSignal {
    return this.#over.signal
  }

  /** Of the first message that is not settled, while it is tried again. */
  get retry (): RetryState | undefined {
    const { head } = this.#window
    if (head === undefined || head.message.offset === this.#known?.offset) return head?.retry ?? this.#known
    return head.retry
  }

  get failuresInARow (): number {
    return this.#streak.count
  }

  /** How many more messages are taken at the moment. */
  get room (): number {
    return MAX_WINDOW - this.#window.size
  }

  /** The offset of the last message that was taken; undefined before the first. */
  get lastOffset (): number | undefined {
    return this.#window.last?.lastOffset
  }

  /** See `OrderedDelivery.skip`. */
  skip (offset: number): void {
    this.#skipOffset = offset
    for (const lane of this.#lanes) lane.skip(offset)
  }

  async deliver (messages: readonly M[], signal: AbortSignal): Promise<PauseReason | undefined> {
    this.#follow(signal)
    for (const message of messages) {
      while (this.#end === undefined && this.room <= 0) await this.#change()
      if (this.#end !== undefined) return await this.#outcome()
      this.#schedule.add(this.#window.add(message))
    }
    return this.#end === undefined ? undefined : await this.#outcome()
  }

  async finish (signal: AbortSignal): Promise<PauseReason | undefined> {
    this.#follow(signal)
    while (this.#end === undefined && this.#window.size > 0) await this.#change()
    return this.#end === undefined ? undefined : await this.#outcome()
  }

  /** No further request. Settles when those in flight are over; what they have settled was told. */
  async stop (): Promise<void> {
    this.#endWith('stopped')
    while (this.#works > 0) await this.#change()
  }

  async #outcome (): Promise<PauseReason | undefined> {
    while (this.#works > 0) await this.#change()
    const end = this.#end
    if (end === undefined || end === 'stopped') return undefined
    if ('error' in end) throw end.error
    return end.pause
  }

  #follow (signal: AbortSignal): void {
    if (this.#signal === signal) return
    this.#signal = signal
    const abort = (): void => { this.#endWith({ error: signal.reason }) }
    signal.addEventListener('abort', abort, { signal: this.#over.signal })
    if (signal.aborted) abort()
  }

  #endWith (end: End): void {
    if (this.#end === undefined) {
      this.#end = end
      this.#over.abort(new Error('the delivery is over'))
      this.#gate.close(this.#over.signal.reason)
    }
    this.#wake()
  }

  // Settles when something is settled, or the end has come nearer.
  async #change (): Promise<void> {
    await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
  }

  #wake (): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #hands (policy: RetryPolicy, { concurrency, batch, bytesOf }: WindowOptions<M>, retry?: RetryState): Hands<M> {
    return {
      concurrency,
      newQueue: () => new BatchQueue(batch, bytesOf),
      newLane: () => this.#newLane(policy, retry),
      free: async ({ message }) => { await this.#gate.free(message.offset) },
      gather: async (queue) => {
        if (batch.maxWaitMs > 0) await queue.gather(this.#port, this.#over.signal)
      },
      work: (work) => { void this.#work(work) }
    }
  }

  #newLane (policy: RetryPolicy, retry: RetryState | undefined): Lane<M> {
    const options = {
      port: this.#port,
      gate: this.#gate,
      policy,
      retry,
      streak: this.#streak,
      over: this.#over.signal,
      signal: () => this.#signal ?? this.#over.signal,
      settled: () => { this.#advance() },
      failing: (entry: Entry<M>) => { this.#tell(entry) }
    }
    const lane: Lane<M> = new Lane(options, {
      began: () => {
        this.#lanes.add(lane)
        if (this.#skipOffset !== undefined) lane.skip(this.#skipOffset)
      },
      ended: () => { this.#lanes.delete(lane) }
    })
    return lane
  }

  #advance (): void {
    if (!this.#window.advance()) return
    this.#known = undefined
    const { head } = this.#window
    if (head !== undefined) this.#tell(head)
    this.#gate.look()
    this.#wake()
  }

  // Of the messages that are tried again the first one is told.
  #tell (entry: Entry<M>): void {
    if (entry === this.#window.head && entry.retry !== undefined) this.#port.failing(entry.retry)
  }

  async #work (work: () => Promise<PauseReason | undefined>): Promise<void> {
    this.#works++
    try {
      const pause = await work()
      if (pause !== undefined) this.#endWith({ pause })
    } catch (error) {
      this.#endWith({ error })
    } finally {
      this.#works--
      this.#wake()
    }
  }
}
