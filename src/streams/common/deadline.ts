/** The moment at which a wait ends. */
export class Deadline {
  readonly atMs: number

  constructor (timeoutMs: number) {
    this.atMs = performance.now() + timeoutMs
  }

  get remainingMs (): number {
    return Math.max(0, this.atMs - performance.now())
  }

  get hasPassed (): boolean {
    return performance.now() >= this.atMs
  }
}
