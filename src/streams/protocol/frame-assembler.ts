import { FrameSizeError } from './errors.ts'

/** Key and version. */
const MIN_FRAME_BYTES = 4
/** The most that is allocated when only a frame's size field has arrived: more than the usual frame_max, 1 MiB. */
const MAX_FIRST_ALLOCATION_BYTES = 2 * 1024 * 1024

/**
 * Receives a frame without its size field: `buffer` from `start` to `end`. Unless `isOwn` is true, the buffer may hold
 * other frames too and is valid only until the listener returns.
 */
export type FrameListener = (buffer: Buffer, start: number, end: number, isOwn: boolean) => void

/**
 * Cuts what the socket reads into frames. A frame that lies in one read is passed on without a copy. A frame that spans
 * several reads is collected in a buffer of its size.
 *
 * Frame => Size uint32 // of what follows
 */
export class FrameAssembler {
  /** A larger frame is refused as soon as its size is known. */
  maxFrameBytes: number
  readonly #onFrame: FrameListener
  #isStopped = false
  // The size field, of which any number of bytes may have arrived.
  #sizeBytesRead = 0
  #size = 0
  // The frame that is being collected, if there is one.
  #collected: Buffer | undefined
  #collectedBytes = 0

  constructor (maxFrameBytes: number, onFrame: FrameListener) {
    this.maxFrameBytes = maxFrameBytes
    this.#onFrame = onFrame
  }

  /** Passes on no more frames, not even those left in the current read. */
  stop (): void {
    this.#isStopped = true
    this.#collected = undefined
  }

  /** @throws FrameSizeError for a size out of bounds, and whatever the listener throws */
  push (data: Buffer): void {
    let position = 0
    while (position < data.length && !this.#isStopped) {
      position = this.#sizeBytesRead < 4
        ? this.#readSize(data, position)
        : this.#readBody(data, position)
    }
  }

  #readSize (data: Buffer, position: number): number {
    if (this.#sizeBytesRead === 0 && data.length - position >= 4) {
      this.#size = data.readUInt32BE(position)
      this.#sizeBytesRead = 4
      position += 4
    } else {
      this.#size = (this.#sizeBytesRead === 0 ? 0 : this.#size) * 256 + data.readUInt8(position)
      this.#sizeBytesRead++
      position++
    }
    if (this.#sizeBytesRead === 4) this.#checkSize()
    return position
  }

  #checkSize (): void {
    const size = this.#size
    if (size < MIN_FRAME_BYTES) {
      throw new FrameSizeError(`a frame of ${size} bytes has no room for its command`, size)
    }
    if (size > this.maxFrameBytes) {
      throw new FrameSizeError(`a frame of ${size} bytes is above the limit of ${this.maxFrameBytes}`, size)
    }
  }

  #readBody (data: Buffer, position: number): number {
    const available = data.length - position
    if (this.#collected === undefined && available >= this.#size) {
      const end = position + this.#size
      this.#sizeBytesRead = 0
      this.#onFrame(data, position, end, false)
      return end
    }
    const taken = Math.min(available, this.#size - this.#collectedBytes)
    const collected = this.#roomFor(taken)
    data.copy(collected, this.#collectedBytes, position, position + taken)
    this.#collectedBytes += taken
    if (this.#collectedBytes === this.#size) {
      this.#collected = undefined
      this.#collectedBytes = 0
      this.#sizeBytesRead = 0
      this.#onFrame(collected, 0, this.#size, true)
    }
    return position + taken
  }

  // The memory of a huge frame grows as its bytes arrive: a size field alone must not allocate 256 MiB.
  #roomFor (bytes: number): Buffer {
    const needed = this.#collectedBytes + bytes
    const current = this.#collected
    if (current !== undefined && current.length >= needed) return current
    const length = Math.min(this.#size, Math.max(needed, MAX_FIRST_ALLOCATION_BYTES, this.#collectedBytes * 2))
    const larger = Buffer.allocUnsafeSlow(length)
    current?.copy(larger, 0, 0, this.#collectedBytes)
    this.#collected = larger
    return larger
  }
}
