const TICK_MS = 250

/** Something that looks at the time now and then. */
export interface Ticking {
  /** @param nowMs by performance.now() */
  tick (nowMs: number): void
}

/** One timer for all workers of the process, while there are any. */
export class Ticks {
  readonly #members = new Set<Ticking>()
  #timer: NodeJS.Timeout | undefined

  join (member: Ticking): void {
    this.#members.add(member)
    this.#timer ??= setInterval(() => { this.#tick() }, TICK_MS)
  }

  leave (member: Ticking): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick (): void {
    const nowMs = performance.now()
    for (const member of this.#members) member.tick(nowMs)
  }
}
