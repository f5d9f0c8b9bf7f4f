import { Agent, type Dispatcher } from 'undici'
import { StreamsError } from '../errors.ts'

export interface ManagementOptions {
  /** `http://host:15672`, or https; a path prefix is kept. */
  url: string
  username: string
  password: string
  /** The certificate of the authority that signed the server's certificate, as PEM. */
  ca?: string | undefined
  /** The deadline of each request, ms. */
  timeoutMs: number
  virtualHost: string
}

// A larger answer is refused. Lists come in pages and stay below this.
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** A JSON value whose shape has not been checked yet. */
export type Unchecked = unknown

/** Whether the management API answered. */
export type SourceState = 'ok' | 'not_configured' | 'failed'

/** A client of RabbitMQ's management HTTP API, for the few questions that the stream protocol cannot answer. */
export class ManagementClient {
  readonly #options: ManagementOptions
  readonly #base: URL
  readonly #agent: Agent
  readonly #authorization: string

  constructor (options: ManagementOptions) {
    this.#options = options
    this.#base = new URL(options.url.endsWith('/') ? options.url : `${options.url}/`)
    const { ca, timeoutMs: timeout } = options
    this.#agent = new Agent({
      connections: 4,
      connect: ca === undefined ? { timeout } : { ca, timeout },
      headersTimeout: options.timeoutMs,
      bodyTimeout: options.timeoutMs,
      maxResponseSize: MAX_ANSWER_BYTES
    })
    this.#authorization = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`
  }

  /** The virtual host as a path segment. */
  get virtualHost (): string {
    return encodeURIComponent(this.#options.virtualHost)
  }

  /**
   * Gets a resource.
   *
   * @param path below `/api/`, its segments percent-encoded
   * @returns the parsed answer; undefined when the resource does not exist
   * @throws StreamsError `management_unavailable`
   */
  async get (path: string, query: Readonly<Record<string, string>> = {}): Promise<Unchecked> {
    const url = new URL(`api/${path}`, this.#base)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    let answer: Dispatcher.ResponseData
    try {
      answer = await this.#agent.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers: { authorization: this.#authorization, accept: 'application/json' },
        signal: AbortSignal.timeout(this.#options.timeoutMs)
      })
      if (answer.statusCode === 200) return await answer.body.json()
      await answer.body.dump()
    } catch (error) {
      const message = 'the management API of the broker did not answer'
      throw new StreamsError('management_unavailable', message, { cause: describe(error) })
    }
    if (answer.statusCode === 404) return undefined
    throw new StreamsError('management_unavailable', answer.statusCode === 401
      ? 'the management API of the broker refused the user name or the password of the gateway'
      : `the management API of the broker answered ${answer.statusCode}`)
  }

  async close (): Promise<void> {
    await this.#agent.destroy()
  }
}

// Never the error itself: some errors of undici hold what the peer sent, which may echo our credentials.
function describe (error: unknown): Error {
  if (!(error instanceof Error)) return new Error('an unknown error')
  const code = 'code' in error ? String(error.code) : ''
  return new Error([error.name, code, error.message].filter((part) => part !== '').join(': '))
}
