import { setTimeout as delay } from 'node:timers/promises'
import { pause } from '../../streams/index.ts'
import { withAnySignal } from '../any-signal.ts'

/** The waits of something that runs until it is ended. */
export class Life {
  readonly #ending = new AbortController()
  #hasChanged = false
  #wake: () => void = () => {}

  get hasEnded (): boolean {
    return this.#ending.signal.aborted
  }

  end (): void {
    this.#ending.abort()
  }

  /** Something has changed: a wait for changes ends, and so does the next one. */
  changed (): void {
    this.#hasChanged = true
    this.#wake()
  }

  /** What is changed from now on counts. */
  begin (): void {
    this.#hasChanged = false
  }

  /** Waits for a change since `begin`, or for the end. @param timeoutMs undefined: as long as it takes */
  async changes (timeoutMs?: number): Promise<void> {
    const { signal } = this.#ending
    if (this.#hasChanged || signal.aborted) return
    const over = new AbortController()
    await new Promise<void>((resolve) => {
      this.#wake = resolve
      signal.addEventListener('abort', () => { resolve() }, { signal: over.signal })
      if (timeoutMs !== undefined) delay(timeoutMs, undefined, { signal: over.signal }).then(resolve, () => {})
    })
    over.abort()
  }

  /** Pauses, until the end or an abort at most. */
  async pause (timeoutMs: number, until?: AbortSignal): Promise<void> {
    const signals = until === undefined ? [this.#ending.signal] : [this.#ending.signal, until]
    await withAnySignal(signals, async (any) => { await pause(timeoutMs, any) })
  }

  /** What the work settles to, which runs on when the end comes first. @throws what the work throws; at the end */
  async unlessEnded<T> (work: Promise<T>): Promise<T> {
    const { signal } = this.#ending
    const over = new AbortController()
    const ending = new Promise<never>((_resolve, reject) => {
      const end = (): void => { reject(signal.reason) }
      if (signal.aborted) end()
      signal.addEventListener('abort', end, { signal: over.signal })
    })
    try {
      return await Promise.race([work, ending])
    } finally {
      over.abort()
    }
  }
}
