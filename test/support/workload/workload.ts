import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { auditStream, missedBy, type Audit } from './audit.ts'
import { followLoad } from './following.ts'
import { HttpClient, type Target } from './http-client.ts'
import { Ledger } from './ledger.ts'
import { publishLoad } from './publishing.ts'
import { consumeLoad, readLoad, readWhole } from './reading.ts'
import { Tally } from './tally.ts'

export interface WorkloadOptions {
  /** Where publishers, readers and consumers go. */
  target: Target
  /** Where readers and consumers go instead: another gateway. */
  readTarget?: Target
  /** Publishers without a name, that share one stream. */
  unnamed?: number
  /** Publishers with a name, that share another stream. */
  named?: number
  /** Messages in each request. */
  batch?: number
  /** The pause between two requests, ms. */
  pauseMs?: number
  /** 0 to 1, seeded: when consumers crash. */
  random?: () => number
  /** Arguments of the two streams. */
  streamArguments?: object
}

/** All that happened to one of the two streams. */
export interface StreamReport extends Audit {
  /** In the stream, and not delivered to the reader that polled it, to the consumer, or by the live read. */
  missed: string[]
  /** Delivered to the reader, or by the live read, more often than it is in the stream. */
  readTwice: string[]
  /** Messages that the consumer saw again. */
  redelivered: number
  /** The most of them after one crash: at most the batch that the consumer had not committed. */
  largestRedelivery: number
}

export interface Report {
  unnamed: StreamReport
  named: StreamReport
}

interface Side {
  stream: string
  ledgers: Ledger[]
  reader: Tally
  consumer: Tally
  follower: Tally
  lies: string[]
  publishing: Array<Promise<void>>
  reading: Promise<void>
  consuming: Promise<{ repeated: number, largestRepeat: number }>
  following: Promise<void>
}

/**
 * Load on a gateway: publishers with and without names, each kind on a stream of its own, and on each stream a reader
 * that polls, a consumer that commits and crashes, and a live read. In the end what they were told is held against what
 * the streams have.
 */
export class Workload {
  readonly #options: WorkloadOptions
  readonly #stopPublishing = new AbortController()
  readonly #stopReading = new AbortController()
  readonly #abandon = new AbortController()
  readonly #sides: { unnamed: Side, named: Side }
  #failure: { error: unknown } | undefined

  private constructor (options: WorkloadOptions, streams: { unnamed: string, named: string }) {
    this.#options = options
    const { unnamed = 2, named = 2 } = options
    // Every request under way has a listener on it.
    setMaxListeners(0, this.#abandon.signal)
    this.#sides = {
      unnamed: this.#start(streams.unnamed, unnamed, false),
      named: this.#start(streams.named, named, true)
    }
  }

  /** Creates the streams and starts. */
  static async start (options: WorkloadOptions): Promise<Workload> {
    const streams = { unnamed: `unnamed-${randomUUID()}`, named: `named-${randomUUID()}` }
    const { target, streamArguments: args } = options
    const sent = args && { body: JSON.stringify(args), contentType: 'application/json' }
    await withClient(target, async (client) => {
      for (const stream of Object.values(streams)) {
        const reply = await client.call('PUT', `/v1/streams/${stream}`, sent)
        const isCreated = reply.isAnswer && reply.status === 201
        if (!isCreated) throw new Error(`the stream ${stream} could not be created: ${JSON.stringify(reply)}`)
      }
    })
    return new Workload(options, streams)
  }

  get streams (): { unnamed: string, named: string } {
    return { unnamed: this.#sides.unnamed.stream, named: this.#sides.named.stream }
  }

  /** How many messages publishers were told to be confirmed, so far. */
  get confirmed (): number {
    return this.#ledgers().reduce((sum, ledger) => sum + ledger.confirmed, 0)
  }

  /**
   * Waits until every publisher has been told of this many more confirmed messages.
   *
   * @throws when that takes too long, or the load has failed
   */
  async untilConfirmed (count: number, timeoutMs = 60_000): Promise<void> {
    const goals = this.#ledgers().map((ledger) => ({ ledger, goal: ledger.confirmed + count }))
    const deadline = performance.now() + timeoutMs
    while (goals.some(({ ledger, goal }) => ledger.confirmed < goal)) {
      this.throwIfFailed()
      if (performance.now() > deadline) {
        const places = goals.map(({ ledger, goal }) => `${ledger.publisher}: ${ledger.confirmed} of ${goal}`)
        throw new Error(`publishing stands still at ${places.join(', ')}`)
      }
      await delay(10)
    }
  }

  throwIfFailed (): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Ends the publishers, lets the readers come to the end, audits and deletes the streams. */
  async finish (): Promise<Report> {
    const sides = Object.values(this.#sides)
    this.#stopPublishing.abort()
    await Promise.allSettled(sides.flatMap(({ publishing }) => publishing))
    this.#stopReading.abort()
    await Promise.allSettled(sides.flatMap(({ reading, consuming, following }) => [reading, consuming, following]))
    this.throwIfFailed()
    const { unnamed, named } = this.#sides
    const report = { unnamed: await this.#report(unnamed), named: await this.#report(named) }
    await withClient(this.#options.target, async (client) => {
      for (const { stream } of sides) await client.call('DELETE', `/v1/streams/${stream}`)
    })
    return report
  }

  /** Ends all of the load at once, for a test that has failed in the middle. */
  abandon (): void {
    this.#stopPublishing.abort()
    this.#stopReading.abort()
    this.#abandon.abort()
  }

  #start (stream: string, publishers: number, isNamed: boolean): Side {
    const { target, readTarget = target, batch, pauseMs = 2, random = Math.random } = this.#options
    const abandon = this.#abandon.signal
    const options = { isNamed, ...batch !== undefined && { batch } }
    const ledgers = Array.from({ length: publishers }, (_, index) => {
      return new Ledger(`${isNamed ? 'p' : 'u'}${index}`, options)
    })
    const [reader, consumer, follower] = [new Tally(ledgers), new Tally(ledgers), new Tally(ledgers)]
    const lies: string[] = []
    const publishing = { target, stream, pauseMs, stop: this.#stopPublishing.signal, abandon }
    const reading = { target: readTarget, stream, stop: this.#stopReading.signal, abandon, lies }
    const polling = this.#watched(readLoad({ ...reading, tally: reader }))
    const count = polling.then(() => reader.seen)
    const by = isNamed ? 'lines' : 'events'
    return {
      stream,
      ledgers,
      reader,
      consumer,
      follower,
      lies,
      publishing: ledgers.map((ledger) => this.#watched(publishLoad({ ...publishing, ledger }))),
      reading: polling,
      consuming: this.#watched(consumeLoad({ ...reading, tally: consumer, consumer: 'c', random })),
      following: this.#watched(followLoad({ target: readTarget, stream, tally: follower, by, count, abandon, lies }))
    }
  }

  // A load that fails in the middle is awaited only at the end: until then its error is kept, and ends nothing else.
  #watched<T> (load: Promise<T>): Promise<T> {
    load.catch((error: unknown) => { this.#failure ??= { error } })
    return load
  }

  async #report ({ stream, ledgers, reader, consumer, follower, lies, consuming }: Side): Promise<StreamReport> {
    const { target } = this.#options
    const audit = await auditStream(target, stream, ledgers)
    const stored = new Tally(ledgers)
    await readWhole(target, stream, stored)
    const polled = missedBy(reader, stored, ledgers)
    const followed = missedBy(follower, stored, ledgers)
    const consumed = missedBy(consumer, stored, ledgers)
    const { repeated, largestRepeat } = await consuming
    return {
      ...audit,
      lies: [...audit.lies, ...lies],
      missed: [
        ...polled.missed.map((body) => `${body} by the reader`),
        ...consumed.missed.map((body) => `${body} by the consumer`),
        ...followed.missed.map((body) => `${body} by the live read`)
      ],
      readTwice: [...polled.extra, ...followed.extra],
      redelivered: repeated,
      largestRedelivery: largestRepeat
    }
  }

  #ledgers (): Ledger[] {
    return Object.values(this.#sides).flatMap(({ ledgers }) => ledgers)
  }
}

async function withClient (target: Target, act: (client: HttpClient) => Promise<void>): Promise<void> {
  const client = new HttpClient(target)
  try {
    await act(client)
  } finally {
    await client.close()
  }
}
