import { Agent, errors, request } from 'undici'

/** Where a gateway listens; it may move when the process is started again. */
export interface Target { readonly url: string }

interface Sent {
  body?: string
  contentType?: string
  signal?: AbortSignal
}

export type Reply =
  | { isAnswer: true, status: number, headers: Record<string, string | string[] | undefined>, json: unknown }
  /** `wasSent`: something of the request may have arrived. */
  | { isAnswer: false, wasSent: boolean, error: unknown }

/** A client that survives all that a gateway may do to it: a call without an answer has a reply too. */
export class HttpClient {
  readonly #agent = new Agent({ headersTimeout: 90_000, bodyTimeout: 90_000, connections: 256 })
  readonly #target: Target
  readonly #abandon: AbortSignal | undefined

  /** @param abandon breaks off every call */
  constructor (target: Target, abandon?: AbortSignal) {
    this.#target = target
    this.#abandon = abandon
  }

  async call (
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    { body, contentType, signal = this.#abandon }: Sent = {}
  ): Promise<Reply> {
    try {
      const response = await request(this.#target.url + path, {
        method,
        body,
        signal,
        ...(contentType !== undefined && { headers: { 'content-type': contentType } }),
        dispatcher: this.#agent
      })
      const text = await response.body.text()
      const json = text === '' ? undefined : JSON.parse(text)
      return { isAnswer: true, status: response.statusCode, headers: response.headers, json }
    } catch (error) {
      return { isAnswer: false, wasSent: !isRefused(error), error }
    }
  }

  async close (): Promise<void> {
    await this.#agent.destroy()
  }
}

function isRefused (error: unknown): boolean {
  if (error instanceof errors.ConnectTimeoutError) return true
  return error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'
}

/** A field of a JSON object, undefined when there is none. */
export function field (json: unknown, name: string): unknown {
  if (typeof json !== 'object' || json === null || !(name in json)) return undefined
  return Object.entries(json).find(([key]) => key === name)?.[1]
}
