/**
 * Values by key, a bounded number of them. When there is no room, a value leaves that was not asked for since the
 * others came.
 */
export class Remembered<T> {
  readonly #entries = new Map<string, { readonly value: T, isUsed: boolean }>()
  readonly #max: number

  constructor (max: number) {
    this.#max = max
  }

  get size (): number {
    return this.#entries.size
  }

  get (key: string): T | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    entry.isUsed = true
    return entry.value
  }

  set (key: string, value: T): void {
    this.#entries.delete(key)
    if (this.#entries.size >= this.#max) this.#dropOne()
    this.#entries.set(key, { value, isUsed: false })
  }

  delete (key: string): void {
    this.#entries.delete(key)
  }

  // The oldest one gets a second chance when it was used: moving every value that is used would cost more.
  #dropOne (): void {
    for (const [key, entry] of this.#entries) {
      this.#entries.delete(key)
      if (!entry.isUsed) return
      entry.isUsed = false
      this.#entries.set(key, entry)
    }
  }
}
