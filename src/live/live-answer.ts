import { LiveControl } from './live-control.ts'
import type { FeedState, Written } from './live-feed.ts'
import { byeRetryMs } from './live-format.ts'
import type { ByeReason, LiveAnswerOptions } from './live-options.ts'
import { LiveOutput } from './live-output.ts'

// What is gathered for one write, and what one connection is given in one turn.
const WRITE_BYTES = 64 * 1024
const TURN_BYTES = 512 * 1024
// A client that has taken nothing for this time is not about to.
const REST_MS = 1000

/**
 * A live answer: it gives a sink what its feed has. It holds a position and no data: where the sink is full, it waits
 * with what was written last.
 */
export class LiveAnswer {
  readonly #options: LiveAnswerOptions
  readonly #output: LiveOutput
  readonly #control: LiveControl
  #left: number
  #isPlanned = false
  // Since when it is not at the end of its stream.
  #behindSinceMs: number | undefined
  // There was no memory for what comes next.
  #lacksRoom = false
  #isOver = false
  // Nothing has to be looked at before: of thousands of idle answers, a tick touches nothing but this.
  #quietUntilMs = 0
  /** Settles when nothing is left to be stored for a consumer; undefined until the answer is over, and without one. */
  settled: Promise<void> | undefined

  constructor (options: LiveAnswerOptions, opening: FeedState) {
    this.#options = options
    this.#output = new LiveOutput(options.sink, options.figures)
    this.#left = options.limit
    this.#control = new LiveControl(options, this.#output, opening)
  }

  /** What was written so far. */
  get delivered (): { readonly messages: number, readonly bytes: number } {
    return this.#output.delivered
  }

  /** For how long it has not been at the end of its stream. While it gets nothing, it is not behind. */
  behindMs (nowMs: number): number {
    return this.#behindSinceMs === undefined || !this.#options.feed.isActive ? 0 : nowMs - this.#behindSinceMs
  }

  readonly news = (): void => { this.#pump() }

  /** The sink has room again. */
  drained (): void {
    this.#output.drained()
    this.#noteTaken()
    this.#pump()
  }

  /** To be called about every second. @param sendTimeoutMs how long the sink may be full */
  tick (nowMs: number, sendTimeoutMs: number): void {
    if (nowMs < this.#quietUntilMs || this.#isOver) return
    const { rotateAtMs, heartbeatMs, feed } = this.#options
    const { stalledMs, lastWriteMs } = this.#output
    feed.tick(nowMs)
    if (stalledMs !== undefined) {
      if (nowMs - stalledMs >= sendTimeoutMs) this.cut('not drained')
      // The window of a reader is memory that others need.
      else if (nowMs - stalledMs >= REST_MS) feed.rest()
      return
    }
    this.#noteTaken()
    if (nowMs >= rotateAtMs) {
      this.bye('rotation')
      return
    }
    if (this.#lacksRoom) this.#pump()
    feed.look()
    if (nowMs - lastWriteMs >= heartbeatMs) {
      this.#control.heartbeat()
      return
    }
    this.#control.report()
    if (this.#control.isBehind || this.#lacksRoom) return
    this.#quietUntilMs = Math.min(lastWriteMs + heartbeatMs, rotateAtMs, nowMs + feed.quietMs)
  }

  /** Its consumer was moved, or is the active one from now on, or is not. The feed has news then. */
  moved (name: 'reset' | 'active' | 'inactive', data: object): void {
    this.#quietUntilMs = 0
    this.#noteTaken()
    if (this.#isOver) return
    this.#behindSinceMs = undefined
    this.#control.isBehind = this.#options.feed.isActive
    this.#control.say(name, data)
  }

  /** Ends it properly. */
  bye (reason: ByeReason): void {
    if (this.#isOver) return
    const { figures, feed } = this.#options
    figures.bye(reason)
    this.#control.say('bye', { reason, ...feed.here }, byeRetryMs())
    this.#end(reason)
  }

  /** Ends it with a problem. */
  problem (problem: object, reason: string): void {
    if (this.#isOver) return
    this.#control.say('problem', problem)
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
    this.#control.end()
    this.#output.letGo()
    this.settled = this.#options.feed.end()
    this.#options.feed.close()
    this.#options.whenEnded(reason)
  }

  // Gives the sink what is at hand, in one write where it is not much.
  #pump (): void {
    this.#quietUntilMs = 0
    let bytes = 0
    while (!this.#isOver && this.#hasRoom && !this.#isPlanned && !this.#options.sink.hasToWait(this.news)) {
      const gathered = this.#gather()
      if (gathered.length === 0) break
      for (const segment of gathered) bytes += segment.bytes
      this.#write(gathered)
      if (this.#left === 0) this.bye('limit')
      if (bytes >= TURN_BYTES) this.#pumpLater()
    }
    if (this.#options.feed.isAtEnd && this.#hasRoom) this.#behindSinceMs = undefined
    else this.#behindSinceMs ??= performance.now()
    if (!this.#isOver && this.#hasRoom) this.#control.report()
  }

  get #hasRoom (): boolean {
    return this.#output.stalledMs === undefined
  }

  // Others get their turn first.
  #pumpLater (): void {
    this.#isPlanned = true
    setImmediate(() => {
      this.#isPlanned = false
      this.#pump()
    })
  }

  #gather (): Written[] {
    const { feed } = this.#options
    const gathered: Written[] = []
    let bytes = 0
    while (bytes < WRITE_BYTES && this.#left > 0 && this.#hasRoom) {
      const fed = feed.take(this.#left)
      this.#lacksRoom = fed === 'full'
      if (fed === undefined || fed === 'full') break
      if ('gap' in fed) {
        // What comes before the gap is written first.
        if (gathered.length > 0) break
        fed.gap.pass()
        this.#control.isBehind = true
        this.#control.say('gap', fed.gap.data)
        continue
      }
      const { messages } = fed
      this.#left -= messages.count
      bytes += messages.bytes
      gathered.push(messages)
    }
    return gathered
  }

  #write (gathered: readonly Written[]): void {
    this.#output.write(gathered)
    this.#noteTaken()
  }

  #noteTaken (): void {
    if (this.#output.isTaken) this.#options.feed.noteTaken()
  }
}
