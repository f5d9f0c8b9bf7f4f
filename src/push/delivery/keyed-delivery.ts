import { hashOf } from '../../streams/index.ts'
import type { BatchQueue } from './batch-queue.ts'
import type { Deliverable, DeliveryPort, PauseReason, RetryPolicy, RetryState } from './delivery.ts'
import type { Lane } from './lane.ts'
import { WindowedDelivery, type Hands, type Schedule, type WindowOptions } from './windowed-delivery.ts'
import type { Entry } from './window.ts'

export interface KeyedOptions<M extends Deliverable> extends WindowOptions<M> {
  /** What is delivered in order: messages of the same key; undefined: the messages without one. */
  readonly keyOf: (message: M) => string | undefined
}

/**
 * Delivers messages of the same key in their order, and others beside them. There are as many lanes as requests may be
 * in flight. A message that fails holds up its lane.
 */
export function keyedDelivery<M extends Deliverable> (
  port: DeliveryPort<M>, policy: RetryPolicy, options: KeyedOptions<M>, retry?: RetryState
): WindowedDelivery<M> {
  return new WindowedDelivery<M>((hands) => new Lanes(hands, options.keyOf), port, policy, options, retry)
}

interface Queued<M extends Deliverable> {
  readonly queue: BatchQueue<M>
  readonly lane: Lane<M>
  isRunning: boolean
}

class Lanes<M extends Deliverable> implements Schedule<M> {
  readonly #hands: Hands<M>
  readonly #keyOf: (message: M) => string | undefined
  readonly #lanes: ReadonlyArray<Queued<M>>

  constructor (hands: Hands<M>, keyOf: (message: M) => string | undefined) {
    this.#hands = hands
    this.#keyOf = keyOf
    this.#lanes = Array.from({ length: hands.concurrency }, () => ({
      queue: hands.newQueue(),
      lane: hands.newLane(),
      isRunning: false
    }))
  }

  add (entry: Entry<M>): void {
    const key = this.#keyOf(entry.message)
    const queued = this.#lanes[key === undefined ? 0 : hashOf(key) % this.#lanes.length]
    if (queued === undefined) throw new RangeError('there is at least one lane')
    queued.queue.add(entry)
    if (queued.isRunning) return
    queued.isRunning = true
    this.#hands.work(async () => await this.#run(queued))
  }

  async #run (queued: Queued<M>): Promise<PauseReason | undefined> {
    const { queue, lane } = queued
    try {
      while (queue.first !== undefined) {
        await this.#hands.gather(queue)
        const pause = await lane.deliver(queue.take())
        if (pause !== undefined) return pause
      }
      return undefined
    } finally {
      queued.isRunning = false
    }
  }
}
