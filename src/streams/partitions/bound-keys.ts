import { classify } from '../classify.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import { noRoute, type Targets } from './routing.ts'

interface Known {
  readonly targets: Targets
  readonly untilMs: number
}

const KNOWN_MS = 60_000
// A binding that is added is to be seen soon.
const UNROUTED_MS = 1000
const MAX_KNOWN = 10_000
// Requests on their way at a time, for one batch.
const AT_A_TIME = 100

/** Knows which partitions are bound with a key. The broker is asked again once a minute. */
export class BoundKeys {
  readonly #connections: ConnectionPool
  // By super stream, and then by key.
  readonly #known = new Map<string, Map<string, Known>>()

  constructor (connections: ConnectionPool) {
    this.#connections = connections
  }

  /** The partitions of each of the keys. A key that cannot be asked about now has the error. Never throws. */
  async of (superStream: string, keys: ReadonlySet<string>): Promise<ReadonlyMap<string, Targets>> {
    const known = this.#of(superStream)
    const nowMs = performance.now()
    const found = new Map<string, Targets>()
    const unknown: string[] = []
    for (const key of keys) {
      const entry = known.get(key)
      if (entry !== undefined && entry.untilMs > nowMs) found.set(key, entry.targets)
      else unknown.push(key)
    }
    for (let at = 0; at < unknown.length; at += AT_A_TIME) {
      const asked = unknown.slice(at, at + AT_A_TIME)
      const answers = await Promise.all(asked.map(async (key) => await this.#ask(superStream, key, known)))
      for (const [index, key] of asked.entries()) found.set(key, answers[index] ?? noRoute())
      // A broker that does not answer is not waited for again and again.
      const failure = answers.find((answer) => answer instanceof StreamsError && answer.code !== 'no_route')
      if (failure === undefined) continue
      for (const key of unknown.slice(at + AT_A_TIME)) found.set(key, failure)
      break
    }
    return found
  }

  /** Call this when the partitions have changed. */
  forget (superStream: string): void {
    this.#known.delete(superStream)
  }

  #of (superStream: string): Map<string, Known> {
    let known = this.#known.get(superStream)
    if (known === undefined || known.size >= MAX_KNOWN) {
      if (this.#known.size >= MAX_KNOWN) this.#known.clear()
      known = new Map()
      this.#known.set(superStream, known)
    }
    return known
  }

  async #ask (superStream: string, key: string, known: Map<string, Known>): Promise<Targets> {
    try {
      const streams = await this.#connections.ask('streams', undefined, async (connection) => {
        return await connection.route(superStream, key)
      })
      const targets = streams.length === 0 ? noRoute() : [...new Set(streams)]
      const knownMs = streams.length === 0 ? UNROUTED_MS : KNOWN_MS
      known.set(key, { targets, untilMs: performance.now() + knownMs })
      return targets
    } catch (error) {
      return classify(error)
    }
  }
}
