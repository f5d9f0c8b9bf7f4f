import type { ByteBudget } from './budget.ts'

/**
 * Bytes held of a budget by one owner, who may hold more or fewer of them and ends the lease at last. After its end it
 * holds nothing, whatever it is told: the end may come from a client that leaves while its answer is still being made.
 */
export class Lease {
  readonly #budget: ByteBudget
  readonly #onChange: ((moreBytes: number) => void) | undefined
  #bytes: number
  #hasEnded = false

  private constructor (budget: ByteBudget, bytes: number, onChange?: (moreBytes: number) => void) {
    this.#budget = budget
    this.#bytes = bytes
    this.#onChange = onChange
  }

  /**
   * A lease that holds nothing yet.
   *
   * @param onChange is told of every change, in bytes: for an owner who keeps a sum of several leases
   */
  static of (budget: ByteBudget, onChange?: (moreBytes: number) => void): Lease {
    return new Lease(budget, 0, onChange)
  }

  /** A lease of bytes that are in memory already and so cannot be refused. */
  static take (budget: ByteBudget, bytes: number): Lease {
    budget.take(bytes)
    return new Lease(budget, bytes)
  }

  /** A lease of the bytes, or undefined when they do not fit. */
  static tryTake (budget: ByteBudget, bytes: number): Lease | undefined {
    return budget.tryTake(bytes) ? new Lease(budget, bytes) : undefined
  }

  /** What it holds. */
  get bytes (): number {
    return this.#bytes
  }

  get hasEnded (): boolean {
    return this.#hasEnded
  }

  /** Holds this many bytes more, if they fit. */
  tryGrow (moreBytes: number): boolean {
    if (this.#hasEnded || !this.#budget.tryTake(moreBytes)) return false
    this.#changed(moreBytes)
    return true
  }

  /** As `tryGrow`, but waits until the bytes fit. False when they do not in time, or too much waits already. */
  async growLater (moreBytes: number, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#hasEnded || !await this.#budget.takeLater(moreBytes, timeoutMs, signal)) return false
    if (this.#hasEnded) {
      this.#budget.give(moreBytes)
      return false
    }
    this.#changed(moreBytes)
    return true
  }

  /** From now on it holds this many bytes, whether there is room for more or not: they are in memory already. */
  resize (bytes: number): void {
    if (this.#hasEnded) return
    const moreBytes = bytes - this.#bytes
    this.#changed(moreBytes)
    if (moreBytes > 0) this.#budget.take(moreBytes)
    else this.#budget.give(-moreBytes)
  }

  /** Gives everything back. Calling it twice is fine. */
  end (): void {
    if (this.#hasEnded) return
    this.resize(0)
    this.#hasEnded = true
  }

  #changed (moreBytes: number): void {
    this.#bytes += moreBytes
    this.#onChange?.(moreBytes)
  }
}
