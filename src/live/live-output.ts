import type { Written } from './live-feed.ts'
import type { LiveFigures, LiveSink } from './live-options.ts'
import { frameOf } from './segment.ts'

/** What a live answer writes: it knows whether the client takes it, and holds what it does not. */
export class LiveOutput {
  readonly #sink: LiveSink
  readonly #figures: LiveFigures
  // Of what a full sink holds.
  #pending: readonly Written[] = []
  #stalledMs: number | undefined
  /** When something was written last. */
  lastWriteMs = performance.now()
  /** What was written so far. */
  readonly delivered = { messages: 0, bytes: 0 }

  constructor (sink: LiveSink, figures: LiveFigures) {
    this.#sink = sink
    this.#figures = figures
  }

  /** Since when the sink is full; undefined when it has room. */
  get stalledMs (): number | undefined {
    return this.#stalledMs
  }

  /** Whether the operating system has taken everything. */
  get isTaken (): boolean {
    return this.#sink.pendingBytes === 0
  }

  /** Writes messages. */
  write (segments: readonly Written[]): void {
    const { isChunked } = this.#sink
    const [only] = segments
    const buffers = segments.length === 1 && only !== undefined
      ? only.buffers(isChunked)
      : segments.flatMap((segment) => segment.buffers(isChunked))
    for (const { count, bytes } of segments) {
      this.delivered.messages += count
      this.delivered.bytes += bytes
      this.#figures.delivered(count, bytes)
    }
    for (const segment of segments) segment.retain()
    if (this.#send(buffers)) for (const segment of segments) segment.release()
    else this.#pending = segments
  }

  /** Writes a control event. */
  text (text: string): void {
    const { framed, plain } = frameOf(text)
    this.#send([this.#sink.isChunked ? framed : plain])
  }

  /** The sink has room again. */
  drained (): void {
    this.#stalledMs = undefined
    this.letGo()
  }

  /** Nothing more is written. */
  letGo (): void {
    for (const segment of this.#pending) segment.release()
    this.#pending = []
  }

  // False when the sink is full.
  #send (buffers: readonly Buffer[]): boolean {
    this.lastWriteMs = performance.now()
    if (this.#sink.write(buffers)) return true
    if (this.#stalledMs === undefined) this.#figures.stalled()
    this.#stalledMs ??= this.lastWriteMs
    return false
  }
}
