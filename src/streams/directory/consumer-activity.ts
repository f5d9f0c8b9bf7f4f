import { consumerKey } from '../consuming/consumer-key.ts'

const MAX_CONSUMERS = 10_000

/** What a consumer has done through this process, ms since the epoch. */
export interface Activity {
  /** When its last read began. */
  readonly lastReadMs: number | undefined
  /** When its last commit ended. */
  readonly lastCommitMs: number | undefined
}

/** When consumers read and committed through this process. The number of consumers is limited: the latest are kept. */
export class ConsumerActivity {
  readonly #byConsumer = new Map<string, Activity>()

  noteRead (stream: string, consumer: string): void {
    this.#set(consumerKey(stream, consumer), { lastReadMs: Date.now() })
  }

  noteCommit (stream: string, consumer: string): void {
    this.#set(consumerKey(stream, consumer), { lastCommitMs: Date.now() })
  }

  /** Undefined: nothing is known. */
  of (stream: string, consumer: string): Activity | undefined {
    return this.#byConsumer.get(consumerKey(stream, consumer))
  }

  /** The stream is gone. */
  forget (stream: string): void {
    const prefix = consumerKey(stream, '')
    for (const key of this.#byConsumer.keys()) if (key.startsWith(prefix)) this.#byConsumer.delete(key)
  }

  #set (key: string, change: Partial<Activity>): void {
    const activity = { lastReadMs: undefined, lastCommitMs: undefined, ...this.#byConsumer.get(key), ...change }
    this.#byConsumer.delete(key)
    this.#byConsumer.set(key, activity)
    for (const oldest of this.#byConsumer.keys()) {
      if (this.#byConsumer.size <= MAX_CONSUMERS) break
      this.#byConsumer.delete(oldest)
    }
  }
}
