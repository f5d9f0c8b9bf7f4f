/** Messages of one stream since it is counted. */
export interface StreamTraffic {
  /** The broker confirmed them. */
  confirmed: number
  /** They are in answers to reads. */
  read: number
}

/**
 * How many messages go through this process, by stream. Only streams that somebody has named are counted: a caller must
 * not be able to make this grow. Names are the broker's.
 */
export class Traffic {
  #streams: ReadonlyMap<string, StreamTraffic> = new Map()

  /** Counts these streams, and forgets what is known of others. */
  follow (streams: Iterable<string>): void {
    const before = this.#streams
    const after = new Map<string, StreamTraffic>()
    for (const stream of streams) after.set(stream, before.get(stream) ?? { confirmed: 0, read: 0 })
    this.#streams = after
  }

  confirmed (stream: string, messages: number): void {
    const traffic = this.#streams.get(stream)
    if (traffic !== undefined) traffic.confirmed += messages
  }

  read (stream: string, messages: number): void {
    const traffic = this.#streams.get(stream)
    if (traffic !== undefined) traffic.read += messages
  }

  /** Undefined: the stream is not counted. */
  of (stream: string): Readonly<StreamTraffic> | undefined {
    return this.#streams.get(stream)
  }
}
