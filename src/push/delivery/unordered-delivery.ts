import type { BatchQueue } from './batch-queue.ts'
import type { Deliverable, DeliveryPort, PauseReason, RetryPolicy, RetryState } from './delivery.ts'
import type { Lane } from './lane.ts'
import { WindowedDelivery, type Hands, type Schedule, type WindowOptions } from './windowed-delivery.ts'
import type { Entry } from './window.ts'

/**
 * Delivers messages without an order. A message that waits for its next try holds up no other one, as long as the
 * window has room.
 */
export function unorderedDelivery<M extends Deliverable> (
  port: DeliveryPort<M>, policy: RetryPolicy, options: WindowOptions<M>, retry?: RetryState
): WindowedDelivery<M> {
  return new WindowedDelivery<M>((hands) => new Feed(hands), port, policy, options, retry)
}

class Feed<M extends Deliverable> implements Schedule<M> {
  readonly #hands: Hands<M>
  readonly #queue: BatchQueue<M>
  readonly #idle: Array<Lane<M>> = []
  #isRunning = false

  constructor (hands: Hands<M>) {
    this.#hands = hands
    this.#queue = hands.newQueue()
  }

  add (entry: Entry<M>): void {
    this.#queue.add(entry)
    if (this.#isRunning) return
    this.#isRunning = true
    this.#hands.work(async () => await this.#run())
  }

  // The next batch is made up when it can be sent: until then more may come to it.
  async #run (): Promise<PauseReason | undefined> {
    try {
      for (let { first } = this.#queue; first !== undefined; { first } = this.#queue) {
        await this.#hands.free(first)
        await this.#hands.gather(this.#queue)
        this.#begin(this.#queue.take())
      }
      return undefined
    } finally {
      this.#isRunning = false
    }
  }

  // A lane that is done with its batch is used again.
  #begin (batch: ReadonlyArray<Entry<M>>): void {
    const lane = this.#idle.pop() ?? this.#hands.newLane()
    this.#hands.work(async () => {
      const pause = await lane.deliver(batch)
      if (this.#idle.length < this.#hands.concurrency) this.#idle.push(lane)
      return pause
    })
  }
}
