/** Counts unconfirmed messages and keeps them within a limit. */
export class Window {
  readonly #limit: number
  #used = 0
  #wake: () => void = () => {}

  constructor (limit: number) {
    this.#limit = limit
  }

  /** Whether `count` more may be sent now. If so, they count as sent. */
  tryTake (count: number): boolean {
    if (this.#used + count > this.#limit) return false
    this.#used += count
    return true
  }

  confirmed (count: number): void {
    this.#used -= count
    this.#wake()
  }

  async nextConfirm (): Promise<void> {
    await new Promise<void>((resolve) => { this.#wake = resolve })
  }

  async allConfirmed (): Promise<void> {
    while (this.#used > 0) await this.nextConfirm()
  }
}
