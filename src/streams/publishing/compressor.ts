import { StreamsError } from '../errors.ts'
import { compress, type Compression } from '../protocol/index.ts'
import { callerLeft } from './outcome.ts'

// The pool of Node.js has four threads. The others stay for request bodies, files and names.
const MAX_RUNNING = 2

/** Compresses in other threads, a bounded number of pieces at a time, in the order in which they came. */
export class Compressor {
  readonly #waiting: Array<() => void> = []
  #running = 0

  /**
   * @param signal aborts when the result is no longer needed: what waits is then not compressed
   * @throws StreamsError `caller_left`; `overloaded` when there is no memory for it
   */
  async compress (compression: Compression, bytes: Uint8Array, signal: AbortSignal | undefined): Promise<Buffer> {
    if (this.#running >= MAX_RUNNING) await new Promise<void>((resolve) => { this.#waiting.push(resolve) })
    else this.#running++
    try {
      if (signal?.aborted === true) throw callerLeft()
      return await compress(compression, bytes)
    } catch (cause) {
      if (cause instanceof StreamsError) throw cause
      throw new StreamsError('overloaded', 'the messages could not be compressed', { cause })
    } finally {
      const next = this.#waiting.shift() // takes the place
      if (next === undefined) this.#running--
      else next()
    }
  }
}
