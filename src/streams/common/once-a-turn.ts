/** Work that is done once after the I/O of this turn of the event loop, however often it is asked for until then. */
export class OnceATurn {
  readonly #work: () => void
  #isPlanned = false

  constructor (work: () => void) {
    this.#work = work
  }

  plan (): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      this.#work()
    })
  }
}
