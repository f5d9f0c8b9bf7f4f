import { OnceATurn } from '../common/once-a-turn.ts'
import { within } from '../common/wait.ts'
import { StreamsError } from '../errors.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import { FirstOffsets } from './first-offsets.ts'
import type { HeldChunk } from './held-chunk.ts'
import { lookAhead } from './look-ahead.ts'
import type { Reader } from './reader.ts'

/** What was found out about the end of a stream. */
export interface TailEnd {
  /** Where the reader was then. */
  readonly position: number
  /** Nothing readable came after that. */
  readonly isEnd: boolean
  /** The last offset that is known; one of the broker's own records has it, perhaps. */
  readonly lastOffset: number
}

/** A follower of a stream, as its reader sees it. */
export interface TailMember { news: () => void }

// What was found out about the end is used for others for this time.
const END_AGE_MS = 1000
// Without an answer the end is not known.
const END_TIMEOUT_MS = 2000
// How long members are told in one turn of the event loop.
const TURN_MS = 8
const CLOCK_EVERY = 64

/** Those who follow a stream by one reader. They are told of news once a turn, however many chunks have arrived. */
export class Tail {
  readonly reader: Reader
  readonly #ends: StreamEnds
  readonly #members = new Set<TailMember>()
  readonly #turn = new OnceATurn(() => { this.#tell() })
  readonly #stopWatching: () => void
  readonly #firstOffsets: FirstOffsets
  #end: { readonly askedMs: number, position: number, readonly found: Promise<TailEnd> } | undefined
  // Behind a filter the broker may look for long.
  #looking: Promise<TailEnd> | undefined
  // Those who are not told yet, when one turn was not enough.
  #telling: readonly TailMember[] = []
  #told = 0
  #hasMoreNews = false

  constructor (reader: Reader, ends: StreamEnds) {
    this.reader = reader
    this.#ends = ends
    this.#firstOffsets = new FirstOffsets(reader, ends, () => { this.#turn.plan() })
    this.#stopWatching = reader.watch(() => { this.#turn.plan() })
  }

  get isEmpty (): boolean {
    return this.#members.size === 0
  }

  add (member: TailMember): void {
    this.#members.add(member)
  }

  remove (member: TailMember): void {
    this.#members.delete(member)
  }

  close (): void {
    this.#stopWatching()
  }

  /** See `FirstOffsets.at`. Undefined while the broker is asked: then there are news later. */
  firstOffsetAt (chunk: HeldChunk | undefined): number | undefined {
    return this.#firstOffsets.at(chunk)
  }

  /** With a filter: finds out how far the broker has come with what it leaves out. Then there are news. */
  look (): void {
    const { reader } = this
    if (reader.isFiltered && reader.ended === undefined) this.end(reader.position).catch(() => undefined)
  }

  /** Where the stream ends, seen from a position. @throws StreamsError when that cannot be found out */
  async end (position: number): Promise<TailEnd> {
    const nowMs = performance.now()
    if (this.#end === undefined || nowMs - this.#end.askedMs > END_AGE_MS || this.#end.position < position) {
      this.#end = { askedMs: nowMs, position: this.reader.position, found: this.#findEndInTime() }
    }
    const asked = this.#end
    const found = await asked.found
    if (found.isEnd) asked.position = found.position
    return found
  }

  async #findEndInTime (): Promise<TailEnd> {
    const found = await within(this.#look(), { timeoutMs: END_TIMEOUT_MS })
    if (found !== undefined) return found
    throw new StreamsError('broker_timeout', 'the broker does not say where the stream ends')
  }

  #look (): Promise<TailEnd> {
    if (!this.reader.isFiltered) return this.#findEnd()
    this.#looking ??= this.#findEnd().finally(() => { this.#looking = undefined })
    return this.#looking
  }

  async #findEnd (): Promise<TailEnd> {
    const { reader } = this
    const { position } = reader
    const ahead = await lookAhead(reader, position, this.#ends)
    // Behind a filter it has moved over what was left out.
    if (ahead === 'end') return { position: reader.position, isEnd: true, lastOffset: reader.position - 1 }
    const committed = ahead === 'lagging' || reader.position === position
      ? await this.#ends.committedChunkId(reader.stream)
      : Number((await reader.fence()).get('committed_chunk_id') ?? -1n)
    return { position: reader.position, isEnd: false, lastOffset: Math.max(committed, reader.position - 1) }
  }

  // Thousands of members take longer than others can wait.
  #tell (): void {
    if (this.#told < this.#telling.length) {
      this.#hasMoreNews = true
      return
    }
    this.#telling = [...this.#members]
    this.#told = 0
    this.#tellSome()
  }

  #tellSome (): void {
    const startMs = performance.now()
    while (this.#told < this.#telling.length) {
      const member = this.#telling[this.#told++]
      if (member !== undefined && this.#members.has(member)) member.news()
      if (this.#told % CLOCK_EVERY === 0 && performance.now() - startMs > TURN_MS) {
        setImmediate(() => { this.#tellSome() })
        return
      }
    }
    this.#telling = []
    this.#told = 0
    if (!this.#hasMoreNews) return
    this.#hasMoreNews = false
    this.#turn.plan()
  }
}
