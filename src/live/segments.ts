import type { ChunkPart, HeldChunk, Lease, LiveSource, PartBounds } from '../streams/index.ts'
import { ScanAllowance } from './scan-allowance.ts'
import { Segment, segmentTexts, type Representation } from './segment.ts'

/** The text of a chunk. `later`: it is being made. `full`: there is no memory for it at the moment. */
export type Made = Segment | 'later' | 'full'

/** Who wants messages, and at most how many. */
export interface Wanting {
  readonly source: Pick<LiveSource, 'position' | 'part'>
  readonly representation: Representation
  readonly limit: number
  /** Called when what was `later` is made. */
  readonly whenMade: () => void
}

// How much of a chunk is made at once.
const SEGMENT_BYTES = 64 * 1024
// More takes longer than others can wait: it is made in steps.
const LARGE_BYTES = 256 * 1024
const TURN_MS = 4
// Until what had no room is tried again.
const PAUSE_MS = 250
// How much is kept for others who want the same. What is empty takes memory too.
const MAX_KEPT_BYTES = 16 * 1024 * 1024
const KEPT_BYTES = 256

/** What is made of a chunk in a representation, and the answers that wait for it, by the first offset. */
interface Shelf { readonly segments: Segment[], readonly making: Map<number, Array<() => void>> }

interface Kept { readonly segment: Segment, readonly shelf: Shelf, age: number }

/**
 * The texts of chunks. Each is made once for each representation, and kept for a moment: those who follow a stream come
 * for it in the same turn.
 */
export class Segments {
  readonly #turn: () => Promise<void> | undefined
  readonly #shelves = new WeakMap<HeldChunk, Map<string, Shelf>>()
  readonly #kept: Kept[] = []
  #keptBytes = 0
  readonly #scans = new ScanAllowance()
  // All who follow a stream come for the same one after the other.
  #last: { readonly chunk: HeldChunk, readonly key: string, readonly shelf: Shelf } | undefined

  /** @param turn settles when heavy work may begin; undefined when it may begin at once */
  constructor (turn: () => Promise<void> | undefined) {
    this.#turn = turn
  }

  /** The messages of a chunk from the position of the source on, in pieces of a bounded size. Retain it to keep it. */
  of (chunk: HeldChunk, wanting: Wanting): Made {
    const shelf = this.#shelfOf(chunk, wanting.representation)
    const from = wanting.source.position
    let end = Infinity
    for (let index = shelf.segments.length - 1; index >= 0; index--) {
      const segment = shelf.segments[index]
      if (segment?.from === from && segment.count <= wanting.limit) return segment
      if (segment !== undefined && segment.from > from) end = Math.min(end, segment.from)
    }
    const waiting = shelf.making.get(from)
    if (waiting !== undefined) {
      waiting.push(wanting.whenMade)
      return 'later'
    }
    const { source, representation, limit } = wanting
    // Those who begin in the middle of a chunk come to the same pieces as the others with the next one.
    const bounds = { from, before: end, limit, maxBytes: SEGMENT_BYTES }
    const part = !representation.isFiltered || this.#scans.take(chunk.chunk.endOffset - from)
      ? source.part(chunk, bounds)
      : this.#partLater(source, chunk, bounds)
    if (!(part instanceof Promise) && part.storedBytes <= LARGE_BYTES) {
      return this.#encodeNow(part, representation, shelf)
    }
    shelf.making.set(from, [wanting.whenMade])
    const ended = (): void => {
      const told = shelf.making.get(from) ?? []
      shelf.making.delete(from)
      for (const whenMade of told) whenMade()
    }
    void this.#encodeLater(part, representation, shelf).catch(() => false).then((isMade) => {
      if (isMade) ended()
      else setTimeout(ended, PAUSE_MS)
    })
    return 'later'
  }

  /** Lets go of what was made a while ago. To be called every second. */
  sweep (): void {
    this.#last = undefined
    while (this.#kept[0] !== undefined && this.#kept[0].age > 0) this.#dropOldest()
    for (const kept of this.#kept) kept.age++
  }

  /** Lets go of everything. */
  clear (): void {
    while (this.#kept.length > 0) this.#dropOldest()
  }

  #shelfOf (chunk: HeldChunk, representation: Representation): Shelf {
    const last = this.#last
    if (last?.chunk === chunk && last.key === representation.key) return last.shelf
    const { key } = representation
    const shelf = this.#findShelf(chunk, key)
    this.#last = { chunk, key, shelf }
    return shelf
  }

  #findShelf (chunk: HeldChunk, key: string): Shelf {
    let shelves = this.#shelves.get(chunk)
    if (shelves === undefined) this.#shelves.set(chunk, shelves = new Map())
    let shelf = shelves.get(key)
    if (shelf === undefined) shelves.set(key, shelf = { segments: [], making: new Map() })
    return shelf
  }

  async #partLater (source: Wanting['source'], chunk: HeldChunk, bounds: PartBounds): Promise<ChunkPart> {
    chunk.retain()
    try {
      await this.#turn()
      return await source.part(chunk, bounds)
    } finally {
      chunk.release()
    }
  }

  #encodeNow (part: ChunkPart, representation: Representation, shelf: Shelf): Made {
    try {
      const lease = this.#lease(part)
      if (lease === undefined) return 'full'
      let text = ''
      for (const slice of segmentTexts(part, representation)) text += slice
      return this.#keep(new Segment(part, text === '' ? [] : [Buffer.from(text)], lease), shelf)
    } finally {
      part.release()
    }
  }

  // False without room for it.
  async #encodeLater (
    later: ChunkPart | Promise<ChunkPart>, representation: Representation, shelf: Shelf
  ): Promise<boolean> {
    const part = await later
    try {
      await this.#turn()
      const lease = this.#lease(part)
      if (lease === undefined) return false
      const texts: Buffer[] = []
      let startMs = performance.now()
      for (const slice of segmentTexts(part, representation)) {
        texts.push(Buffer.from(slice))
        if (performance.now() - startMs < TURN_MS) continue
        await this.#turn()
        startMs = performance.now()
      }
      this.#keep(new Segment(part, texts, lease), shelf)
      return true
    } finally {
      part.release()
    }
  }

  // What is kept for others gives way first.
  #lease (part: ChunkPart): Lease | undefined {
    if (part.to === part.from) return undefined
    const lease = part.lease(part.likelyBytes)
    if (lease !== undefined || this.#kept.length === 0) return lease
    this.clear()
    return part.lease(part.likelyBytes)
  }

  #keep (segment: Segment, shelf: Shelf): Segment {
    shelf.segments.push(segment)
    this.#kept.push({ segment, shelf, age: 0 })
    this.#keptBytes += segment.bytes + KEPT_BYTES
    while (this.#keptBytes > MAX_KEPT_BYTES && this.#kept.length > 1) this.#dropOldest()
    return segment
  }

  #dropOldest (): void {
    const oldest = this.#kept.shift()
    if (oldest === undefined) return
    const { segment, shelf: { segments } } = oldest
    this.#keptBytes -= segment.bytes + KEPT_BYTES
    segments.splice(segments.indexOf(segment), 1)
    segment.release()
  }
}
