import type { FollowState, Gap } from '../streams/index.ts'
import { byeRetryMs, RETRY_MS, type ControlName } from './live-format.ts'
import type { ByeReason, LiveAnswerOptions } from './live-options.ts'
import { frameOf, type Segment } from './segment.ts'

// What is gathered for one write, and what one connection is given in one turn.
const WRITE_BYTES = 64 * 1024
const TURN_BYTES = 512 * 1024

/**
 * A live answer: it gives a sink what its source has. It holds a position and no data: where the sink is full, it waits
 * with what was written last.
 */
export class LiveAnswer {
  readonly #options: LiveAnswerOptions
  #left: number
  #lastWriteMs = performance.now()
  /** Since when the sink is full. */
  #stalledMs: number | undefined
  // Of what a full sink holds.
  #pending: readonly Segment[] = []
  #isBehind: boolean
  #isPlanned = false
  #isAskingState = false
  // There was no memory for what comes next.
  #lacksRoom = false
  #isOver = false
  // Everything before this offset was taken by the operating system.
  #takenOffset: number
  /** What was written so far. */
  readonly delivered = { messages: 0, bytes: 0 }
  /** Settles when nothing is left to be stored for a consumer; undefined until the answer is over, and without one. */
  settled: Promise<void> | undefined

  constructor (options: LiveAnswerOptions, opening: FollowState) {
    this.#options = options
    this.#left = options.limit
    this.#isBehind = !opening.endOfStream
    this.#takenOffset = opening.nextOffset
    this.#state(opening, RETRY_MS)
  }

  readonly news = (): void => { this.#pump() }

  /** The sink has room again. */
  drained (): void {
    this.#stalledMs = undefined
    this.#letGo()
    this.#noteTaken()
    this.#pump()
  }

  /** To be called about every second. @param sendTimeoutMs how long the sink may be full */
  tick (nowMs: number, sendTimeoutMs: number): void {
    if (this.#isOver) return
    const { rotateAtMs, heartbeatMs, place } = this.#options
    place?.tick(nowMs, this.#takenOffset)
    if (this.#stalledMs !== undefined) {
      if (nowMs - this.#stalledMs >= sendTimeoutMs) this.cut('not drained')
      return
    }
    this.#noteTaken()
    if (nowMs >= rotateAtMs) {
      this.bye('rotation')
      return
    }
    if (this.#lacksRoom) this.#pump()
    if (nowMs - this.#lastWriteMs >= heartbeatMs) void this.#writeState(nowMs)
  }

  /** Its consumer was moved, or is the active one from now on, or is not. @returns up to where everything was taken */
  moved (name: 'reset' | 'active' | 'inactive', nextOffset: number): number {
    this.#noteTaken()
    if (this.#isOver) return this.#takenOffset
    if (name === 'reset') this.#options.source.seek(nextOffset)
    if (name !== 'inactive') this.#takenOffset = nextOffset
    this.#isBehind = name !== 'inactive'
    this.#control(name, { nextOffset }) // the source has news then
    return this.#takenOffset
  }

  /** Ends it properly. */
  bye (reason: ByeReason): void {
    if (this.#isOver) return
    const { figures, source: { position } } = this.#options
    figures.bye(reason)
    this.#control('bye', { reason, nextOffset: position }, byeRetryMs())
    this.#end(reason)
  }

  /** Ends it with a problem. */
  problem (problem: object, reason: string): void {
    if (this.#isOver) return
    this.#control('problem', problem)
    this.#end(reason)
  }

  /** Ends it without a word. */
  cut (reason: string): void {
    if (this.#isOver) return
    this.#options.sink.destroy()
    this.#over(reason)
  }

  /** The client has gone away. */
  gone (): void {
    this.#over('client gone')
  }

  #end (reason: string): void {
    this.#noteTaken()
    this.#options.sink.end()
    this.#over(reason)
  }

  #over (reason: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#letGo()
    this.settled = this.#options.place?.end(this.#takenOffset)
    this.#options.source.close()
    this.#options.whenEnded(reason)
  }

  // Gives the sink what is at hand, in one write where it is not much.
  #pump (): void {
    let bytes = 0
    while (!this.#isOver && this.#stalledMs === undefined && !this.#isPlanned) {
      const gathered = this.#gather()
      if (gathered.length === 0) break
      for (const segment of gathered) bytes += segment.bytes
      this.#write(gathered)
      if (this.#left === 0) this.bye('limit')
      if (bytes >= TURN_BYTES) this.#pumpLater()
    }
    if (!this.#isOver && this.#isBehind && this.#stalledMs === undefined && this.#options.source.isAtEnd) {
      void this.#writeState(undefined)
    }
  }

  // Others get their turn first.
  #pumpLater (): void {
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      this.#pump()
    })
  }

  #gather (): Segment[] {
    const { source, segments, representation } = this.#options
    const gathered: Segment[] = []
    let bytes = 0
    while (bytes < WRITE_BYTES && this.#left > 0 && this.#stalledMs === undefined) {
      const taken = source.take()
      if (taken === undefined) break
      if (taken.kind === 'gap') {
        // What comes before the gap is written first.
        if (gathered.length > 0) break
        this.#gap(taken.gap)
        continue
      }
      const wanting = { source, representation, limit: this.#left, whenMade: this.news }
      const made = segments.of(taken.chunk, wanting)
      this.#lacksRoom = made === 'full'
      if (typeof made === 'string') break
      source.advance(made.to, made.count)
      if (made.count === 0) continue
      this.#left -= made.count
      bytes += made.bytes
      gathered.push(made)
      if (taken.chunk.chunk.endOffset > made.to && made.bytes >= WRITE_BYTES) break
    }
    return gathered
  }

  #write (segments: readonly Segment[]): void {
    const { sink, figures } = this.#options
    const [only] = segments
    const buffers = segments.length === 1 && only !== undefined
      ? only.buffers(sink.isChunked)
      : segments.flatMap((segment) => segment.buffers(sink.isChunked))
    for (const { count, bytes } of segments) {
      this.delivered.messages += count
      this.delivered.bytes += bytes
      figures.delivered(count, bytes)
    }
    if (this.#send(buffers)) return
    for (const segment of segments) segment.retain()
    this.#pending = segments
  }

  // False when the sink is full.
  #send (buffers: readonly Buffer[]): boolean {
    this.#lastWriteMs = performance.now()
    if (this.#options.sink.write(buffers)) {
      this.#noteTaken()
      return true
    }
    if (this.#stalledMs === undefined) this.#options.figures.stalled()
    this.#stalledMs ??= this.#lastWriteMs
    return false
  }

  #gap ({ from, to }: Gap): void {
    this.#options.source.advance(to + 1, 0)
    this.#isBehind = true
    this.#control('gap', { from, to })
  }

  #control (name: ControlName, data: object, retryMs?: number): void {
    const { source, representation: { format } } = this.#options
    this.#text(format.control(name, source.position, data, retryMs))
  }

  #text (text: string): void {
    const { framed, plain } = frameOf(text)
    this.#send([this.#options.sink.isChunked ? framed : plain])
  }

  #state (state: FollowState, retryMs?: number): void {
    const { hasControl, representation: { format } } = this.#options
    this.#text(hasControl
      ? format.control('state', state.nextOffset, state, retryMs)
      : format.quiet(state.nextOffset, retryMs))
  }

  // As a heartbeat, or because the end is reached: then there is nothing to say when it is not the end after all.
  async #writeState (heartbeatMs: number | undefined): Promise<void> {
    if (this.#isAskingState) return
    this.#isAskingState = true
    const lastWriteMs = this.#lastWriteMs
    const state = await this.#options.source.state()
    this.#isAskingState = false
    if (this.#isOver || this.#stalledMs !== undefined) return
    if (heartbeatMs === undefined ? !(state.endOfStream && this.#isBehind) : this.#lastWriteMs !== lastWriteMs) return
    if (state.nextOffset !== this.#options.source.position) return
    if (state.endOfStream) this.#isBehind = false
    this.#state(state)
  }

  #noteTaken (): void {
    if (this.#options.sink.pendingBytes === 0) this.#takenOffset = this.#options.source.position
  }

  #letGo (): void {
    for (const segment of this.#pending) segment.release()
    this.#pending = []
  }
}
