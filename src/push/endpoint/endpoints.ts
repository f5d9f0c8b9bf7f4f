import { Agent, buildConnector } from 'undici'
import { AnswerReader } from './answer-reader.ts'
import type { Attempt } from './attempt.ts'
import type { Guard } from './guard.ts'

const IDLE_CONNECTION_MS = 20_000
// Longer headers are not read.
const MAX_HEADER_BYTES = 64 * 1024

/** One request to an endpoint. */
export interface EndpointRequest {
  readonly url: URL
  /** Names and values in turn. No name is there twice. */
  readonly headers: readonly string[]
  readonly body: Uint8Array
  /** For everything: the connection, the request, its answer. */
  readonly timeoutMs: number
}

/** The connections to all endpoints. */
export class Endpoints {
  readonly #guard: Guard
  readonly #agent: Agent

  /** @param connections the most connections to one origin */
  constructor (guard: Guard, connections: number, tls: { readonly ca?: string } = {}) {
    this.#guard = guard
    const connect = buildConnector({ ...tls, lookup: guard.lookup, allowH2: false })
    this.#agent = new Agent({
      connections,
      pipelining: 1,
      keepAliveTimeout: IDLE_CONNECTION_MS,
      maxHeaderSize: MAX_HEADER_BYTES,
      // One timer bounds the whole request.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect (options, callback) {
        try {
          guard.admit(options.hostname)
        } catch (error) {
          return callback(error instanceof Error ? error : new Error(String(error)), null)
        }
        connect(options, callback)
      }
    })
  }

  /** Why the URL cannot be that of an endpoint, by the settings of this process; undefined when it can. */
  refusalOf (url: string): string | undefined {
    return this.#guard.refusalOf(url)
  }

  /** Sends a request. Redirects are not followed. Never rejects. @param signal gives the request up */
  async post ({ url, headers, body, timeoutMs }: EndpointRequest, signal: AbortSignal): Promise<Attempt> {
    return await new Promise((resolve) => {
      const reader = new AnswerReader((attempt) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        resolve(attempt)
      })
      const timer = setTimeout(() => { reader.cut(new Error(`no answer within ${timeoutMs} ms`)) }, timeoutMs)
      const abort = (): void => { reader.cut(new Error('the delivery was given up')) }
      signal.addEventListener('abort', abort)
      if (signal.aborted) return abort()
      const { origin, pathname, search } = url
      this.#agent.dispatch({ origin, path: pathname + search, method: 'POST', headers: [...headers], body }, reader)
    })
  }

  async close (): Promise<void> {
    await this.#agent.destroy()
  }
}
