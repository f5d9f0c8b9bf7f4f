import { say } from '../setup/say.mjs'

/** What was started, and is ended in the reverse order. Helpers of the tests take it in place of a test. */
export class Cleanup {
  readonly #ends: Array<() => unknown> = []

  teardown (end: () => unknown): void {
    this.#ends.push(end)
  }

  comment (line: string): void {
    say(line)
  }

  async close (): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) {
      // The rest is ended all the same.
      await Promise.resolve().then(end).catch((error: unknown) => { say(`Could not clean up: ${String(error)}`) })
    }
  }
}
