import { Mutex } from '../common/mutex.ts'
import type { WaitBounds } from '../common/wait.ts'

interface Queue { readonly mutex: Mutex, users: number }

/** Lets callers of the same key take turns, first come first served. Callers of other keys do not wait. */
export class Turns {
  readonly #queues = new Map<string, Queue>()

  /**
   * Does the work when it is the caller's turn.
   *
   * @returns undefined when the turn did not come within the bounds
   * @throws what the work throws
   */
  async take<T> (key: string, bounds: WaitBounds, work: () => Promise<T>): Promise<{ result: T } | undefined> {
    const queue = this.#queues.get(key) ?? { mutex: new Mutex(), users: 0 }
    this.#queues.set(key, queue)
    queue.users++
    try {
      const end = await queue.mutex.take(bounds)
      if (end === undefined) return undefined
      try {
        return { result: await work() }
      } finally {
        end()
      }
    } finally {
      if (--queue.users === 0) this.#queues.delete(key)
    }
  }
}
