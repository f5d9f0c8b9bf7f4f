import { CompressionError } from '../errors.ts'

// For fewer bytes a loop is faster than a call into the runtime.
const SHORT_COPY_BYTES = 24

/**
 * The output of the LZ77 decoders: a buffer of exactly the announced length, allocated once. Whatever the input says,
 * nothing is written beyond the buffer, and nothing is read that was not written before.
 */
export class Output {
  readonly #buffer: Buffer
  #length = 0

  constructor (length: number) {
    this.#buffer = Buffer.allocUnsafeSlow(length)
  }

  get length (): number {
    return this.#length
  }

  /** Appends bytes of the input. */
  literal (input: Uint8Array, start: number, length: number): void {
    const end = start + length
    if (end > input.length) throw corrupt('ends inside a literal')
    let to = this.#reserve(length)
    if (length > SHORT_COPY_BYTES) this.#buffer.set(input.subarray(start, end), to)
    else for (let from = start; from < end;) this.#buffer[to++] = input[from++] ?? 0
  }

  /** Appends bytes that lie `distance` back in the output. Source and target may overlap. */
  match (distance: number, length: number): void {
    if (distance <= 0 || distance > this.#length) throw corrupt('refers to before its start')
    let to = this.#reserve(length)
    let from = to - distance
    if (length > SHORT_COPY_BYTES && distance >= length) this.#buffer.copyWithin(to, from, from + length)
    else if (distance === 1) this.#buffer.fill(this.#buffer[from] ?? 0, to, to + length)
    else for (const end = to + length; to < end;) this.#buffer[to++] = this.#buffer[from++] ?? 0
  }

  /** @throws CompressionError when the buffer is not full */
  finish (): Buffer {
    if (this.#length !== this.#buffer.length) throw corrupt('is shorter than announced')
    return this.#buffer
  }

  #reserve (length: number): number {
    const start = this.#length
    if (length > this.#buffer.length - start) throw corrupt('is longer than announced')
    this.#length = start + length
    return start
  }
}

// A buffer of zlib that is smaller may be part of the runtime's pool.
const LEAST_CHUNK_BYTES = 64 * 1024

/**
 * The options by which zlib expands to `length` bytes at most, in one buffer: by default it makes many small ones and
 * joins them at the end. The byte more saves zlib a second buffer.
 */
export function outputOf (length: number): { maxOutputLength: number, chunkSize: number } {
  return { maxOutputLength: Math.max(length, 1), chunkSize: Math.max(length + 1, LEAST_CHUNK_BYTES) }
}

export function corrupt (what: string, cause?: unknown): CompressionError {
  return new CompressionError('corrupt', `the sub-entry batch ${what}`, cause)
}
