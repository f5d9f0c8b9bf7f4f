import type { BufferPool } from '../text/buffer-pool.ts'
import { ENTRY_LENGTH_BYTES, loneDataStart, type EntryRun, type ReadPiece } from '../streams/index.ts'
import { lineBody } from './raw.ts'

const LINE_FEED = 0x0a

/** Bodies, each followed by a line feed. */
export interface Lines {
  readonly bytes: Buffer
  /**
   * The offset of the first message that cannot be a line, because its body has a line feed. `bytes` has only the
   * messages before it.
   */
  readonly stoppedAt: number | undefined
  /** Gives the memory back. Call it once; after that `bytes` must not be used. */
  release (): void
}

/**
 * The messages as lines. The bodies of a run are moved together inside one copy of the run: one runtime call for each
 * message, without a view or an object. Measured with messages of 100 bytes, this takes a tenth of the time of a view
 * and a copy for each.
 */
export function linesOf (pieces: readonly ReadPiece[], pool: BufferPool): Lines {
  const joiner = new LineJoiner(pieces, pool)
  let stoppedAt: number | undefined
  for (const piece of pieces) {
    stoppedAt = piece.kind === 'run' ? joiner.addRun(piece) : joiner.addBody(lineBody(piece)) ? undefined : piece.offset
    if (stoppedAt !== undefined) break
  }
  return { bytes: joiner.bytes, stoppedAt, release: () => { joiner.release() } }
}

class LineJoiner {
  readonly #pool: BufferPool
  #bytes: Buffer
  #end = 0

  constructor (pieces: readonly ReadPiece[], pool: BufferPool) {
    this.#pool = pool
    // A line feed is shorter than the length that it replaces.
    let room = 0
    for (const piece of pieces) room += piece.kind === 'run' ? piece.end - piece.start : piece.bytes.length + 1
    this.#bytes = pool.take(room)
  }

  get bytes (): Buffer {
    return this.#bytes.subarray(0, this.#end)
  }

  release (): void {
    this.#pool.give(this.#bytes)
  }

  /** @returns false, and adds nothing, when the body has a line feed */
  addBody (body: Uint8Array): boolean {
    if (body.includes(LINE_FEED)) return false
    const end = this.#end + body.length + 1
    if (end > this.#bytes.length) this.#grow(end)
    this.#bytes.set(body, this.#end)
    this.#bytes[end - 1] = LINE_FEED
    this.#end = end
    return true
  }

  /** @returns the offset of the message whose body has a line feed, if there is one */
  addRun ({ data, start, end, count, offset, timestamp }: EntryRun): number | undefined {
    const region = data.subarray(start, end)
    const base = this.#end
    if (base + region.length > this.#bytes.length) this.#grow(base + region.length)
    // The write position never overtakes the read position: a length and the section before a body are longer than a
    // line feed.
    region.copy(this.#bytes, base)
    let at = 0
    let lineFeed = nextLineFeed(region, 0)
    for (let index = 0; index < count; index++) {
      const from = at + ENTRY_LENGTH_BYTES
      const to = from + region.readUInt32BE(at)
      const body = loneDataStart(region, from, to)
      if (body === undefined) {
        const bytes = lineBody({ kind: 'entry', offset: offset + index, timestamp, bytes: region.subarray(from, to) })
        // A body that is not bytes may have a text longer than itself. Then the rest is copied one by one from the
        // original run.
        if (this.#end + bytes.length + 1 > base + to) {
          return this.#addOneByOne({
            kind: 'run',
            data,
            start: start + at,
            end,
            count: count - index,
            offset: offset + index,
            timestamp
          })
        }
        if (!this.addBody(bytes)) return offset + index
      } else {
        if (lineFeed < body) lineFeed = nextLineFeed(region, body)
        if (lineFeed < to) return offset + index
        this.#bytes.copyWithin(this.#end, base + body, base + to)
        this.#end += to - body + 1
        this.#bytes[this.#end - 1] = LINE_FEED
      }
      at = to
    }
    return undefined
  }

  #addOneByOne ({ data, start, count, offset, timestamp }: EntryRun): number | undefined {
    let at = start
    for (let index = 0; index < count; index++) {
      const from = at + ENTRY_LENGTH_BYTES
      at = from + data.readUInt32BE(at)
      const message = { kind: 'entry', offset: offset + index, timestamp, bytes: data.subarray(from, at) } as const
      if (!this.addBody(lineBody(message))) {
        return offset + index
      }
    }
    return undefined
  }

  #grow (atLeast: number): void {
    const smaller = this.#bytes
    this.#bytes = this.#pool.take(Math.max(atLeast, smaller.length * 2))
    smaller.copy(this.#bytes, 0, 0, this.#end)
    this.#pool.give(smaller)
  }
}

// One search covers all bodies without a line feed, instead of one search for each.
function nextLineFeed (region: Buffer, from: number): number {
  const at = region.indexOf(LINE_FEED, from)
  return at === -1 ? Infinity : at
}
