import { Permits, StreamsError, type Broker } from '../../streams/index.ts'

/** The partitions of a super stream, as far as they are known. */
export interface KnownPartitions {
  /** By the API's names; empty before the first answer. */
  readonly partitions: readonly string[]
  /** Why the super stream cannot be used; undefined: it can. */
  readonly obstacle: string | undefined
}

export interface SuperStreamWatchOptions {
  /** Names are the API's. */
  readonly broker: Broker
  readonly changed: (superStream: string) => void
  /** Between two questions about one super stream. */
  readonly eachMs?: number | undefined
}

interface Watched {
  known: KnownPartitions | undefined
  dueMs: number
}

const EACH_MS = 60_000
const LOOKS = 6
const MAX_UNDER_WAY = 8

/** Asks again and again which partitions super streams have. One that is gone is asked for more often. */
export class SuperStreamWatch {
  readonly #options: SuperStreamWatchOptions
  readonly #watched = new Map<string, Watched>()
  readonly #permits = new Permits(MAX_UNDER_WAY)
  readonly #lookMs: number
  readonly #timer: NodeJS.Timeout
  #hasEnded = false

  constructor (options: SuperStreamWatchOptions) {
    this.#options = options
    this.#lookMs = (options.eachMs ?? EACH_MS) / LOOKS
    this.#timer = setInterval(() => { this.#look() }, this.#lookMs)
  }

  /** What is known; undefined: nothing yet. From now on the super stream is watched. */
  of (superStream: string): KnownPartitions | undefined {
    const watched = this.#watched.get(superStream)
    if (watched !== undefined) return watched.known
    const added = { known: undefined, dueMs: Infinity }
    this.#watched.set(superStream, added)
    void this.#ask(superStream, added)
    return undefined
  }

  /** Watches only these from now on. */
  keep (superStreams: ReadonlySet<string>): void {
    for (const name of this.#watched.keys()) if (!superStreams.has(name)) this.#watched.delete(name)
  }

  stop (): void {
    this.#hasEnded = true
    clearInterval(this.#timer)
  }

  #look (): void {
    const nowMs = performance.now()
    for (const [name, watched] of this.#watched) {
      if (watched.dueMs > nowMs) continue
      watched.dueMs = Infinity
      void this.#ask(name, watched)
    }
  }

  async #ask (superStream: string, watched: Watched): Promise<void> {
    const before = watched.known
    const after = await this.#permits.run(async () => await this.#answer(superStream, before))
    if (this.#hasEnded || this.#watched.get(superStream) !== watched) return
    const isUsable = after?.obstacle === undefined && after !== undefined
    watched.dueMs = performance.now() + (isUsable ? this.#lookMs * (LOOKS - 0.5) : this.#lookMs / 2)
    watched.known = after
    if (JSON.stringify(after) !== JSON.stringify(before)) this.#options.changed(superStream)
  }

  async #answer (superStream: string, before: KnownPartitions | undefined): Promise<KnownPartitions | undefined> {
    const { superStreams } = this.#options.broker
    try {
      superStreams.forget(superStream)
      const partitions = await superStreams.partitions(superStream, 'read', () => {})
      return { partitions: partitions.map(({ name }) => name), obstacle: undefined }
    } catch (error) {
      // While the broker cannot be asked, nothing changes.
      if (!(error instanceof StreamsError) || error.retryable) return before
      return { partitions: before?.partitions ?? [], obstacle: error.message }
    }
  }
}
