import { setTimeout as sleep } from 'node:timers/promises'
import { HttpConnection, requestBytes } from './http-connection.ts'
import { listenForPushes, numberOf, type PushRequest } from './push-endpoint.ts'
import { work, type Sample } from './worker.ts'

/** An endpoint that knows when messages were published, because it publishes them. */
export interface PushArrivalsConfig {
  /** Where the endpoint listens. The path of a delivery names its stream. */
  readonly port: number
  /** Of the gateway that publishes. */
  readonly publishPort: number
  readonly streams: readonly string[]
  /**
   * - `one`: a message to the first stream, and the next one when it has arrived
   * - `each`: a message to every stream, as fast as that goes, until each has arrived
   * - `takeover`: messages to the first stream, one every few ms, until one arrives with a higher
   *   `delivery-generation` than all before
   */
  readonly kind: 'one' | 'each' | 'takeover'
}

const PAUSE_MS = 20
const EVERY_MS = 5
const CONNECTIONS = 16
const TIMEOUT_MS = 60_000

interface Arrival {
  readonly stream: string
  readonly generation: number
  readonly atMs: number
}

/** What has arrived, and those who wait for it. */
class Arrivals {
  #listener: (arrival: Arrival) => void = () => {}

  arrived (request: PushRequest): void {
    request.answer()
    const generation = numberOf(request, 'delivery-generation')
    this.#listener({ stream: request.path.slice(1), generation, atMs: performance.now() })
  }

  /** Settles with what `isLast` has returned for the last arrival that it was asked about. @throws after a minute */
  async until<Result> (what: string, isLast: (arrival: Arrival) => Result | undefined): Promise<Result> {
    return await new Promise((resolve, reject) => {
      const timer = setTimeout(() => { reject(new Error(`${what}: not within ${TIMEOUT_MS} ms`)) }, TIMEOUT_MS)
      this.#listener = (arrival) => {
        const result = isLast(arrival)
        if (result === undefined) return
        this.#listener = () => {}
        clearTimeout(timer)
        resolve(result)
      }
    })
  }
}

class Publisher {
  readonly #connection: HttpConnection

  private constructor (connection: HttpConnection) {
    this.#connection = connection
  }

  static async open (port: number): Promise<Publisher> {
    return new Publisher(await HttpConnection.open(port))
  }

  async publish (stream: string): Promise<void> {
    const path = `/v1/streams/${stream}/messages/raw`
    const { status, text } = await this.#connection.request(
      requestBytes('POST', path, { 'content-type': 'text/plain' }, 'hello')
    )
    if (status !== 200) throw new Error(`a publish was answered with ${text}`)
  }

  close (): void {
    this.#connection.close()
  }
}

await work<PushArrivalsConfig>(async ({ port, publishPort, streams, kind }) => {
  const arrivals = new Arrivals()
  await listenForPushes(port, (request) => { arrivals.arrived(request) })
  const [first = ''] = streams
  return async (seconds): Promise<Sample> => {
    const startedMs = performance.now()
    const latenciesMs = kind === 'one'
      ? await oneByOne(arrivals, publishPort, first, seconds)
      : kind === 'each'
        ? await toEach(arrivals, publishPort, streams)
        : [await takeover(arrivals, publishPort, first)]
    return { count: latenciesMs.length, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
  }
})

async function oneByOne (arrivals: Arrivals, port: number, stream: string, seconds: number): Promise<number[]> {
  const publisher = await Publisher.open(port)
  const endMs = performance.now() + seconds * 1000
  const latenciesMs: number[] = []
  while (performance.now() < endMs) {
    await sleep(PAUSE_MS)
    const sentMs = performance.now()
    const arrival = arrivals.until('a delivery', ({ atMs }) => atMs)
    const [atMs] = await Promise.all([arrival, publisher.publish(stream)])
    latenciesMs.push(atMs - sentMs)
  }
  publisher.close()
  return latenciesMs
}

async function toEach (arrivals: Arrivals, port: number, streams: readonly string[]): Promise<number[]> {
  const sentMs = new Map<string, number>()
  const latenciesMs = new Map<string, number>()
  const all = arrivals.until('a delivery of every stream', ({ stream, atMs }) => {
    latenciesMs.set(stream, atMs - (sentMs.get(stream) ?? NaN))
    return latenciesMs.size === streams.length ? true : undefined
  })
  const rest = streams.values()
  const publishing = Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    const publisher = await Publisher.open(port)
    for (const stream of rest) {
      sentMs.set(stream, performance.now())
      await publisher.publish(stream)
    }
    publisher.close()
  }))
  try {
    await Promise.all([all, publishing])
  } catch (error) {
    throw new Error(`${latenciesMs.size} of ${streams.length} streams were delivered`, { cause: error })
  }
  return [...latenciesMs.values()]
}

// The latency is the time by which the first delivery of the next owner came, on the clock of all processes.
async function takeover (arrivals: Arrivals, port: number, stream: string): Promise<number> {
  const publisher = await Publisher.open(port)
  let highest = -1
  const over = new AbortController()
  const taken = arrivals.until('a delivery of the next owner', ({ generation, atMs }) => {
    if (highest !== -1 && generation > highest) return performance.timeOrigin + atMs
    highest = generation
    return undefined
  })
  const publishing = (async () => {
    while (!over.signal.aborted) {
      await publisher.publish(stream)
      await sleep(EVERY_MS)
    }
  })()
  const atMs = await taken
  over.abort()
  await publishing
  publisher.close()
  return atMs
}
