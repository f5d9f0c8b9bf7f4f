import { request as httpRequest } from 'node:http'
import { record } from '../../test/support/schema-values.ts'

/** An answer, whose body is read. */
export interface Answer {
  readonly status: number
  /** The parsed body; empty when it is not JSON. */
  readonly json: Readonly<Record<string, unknown>>
}

/** The callers, each with a key of its own. */
export interface Callers {
  /** It may do everything. */
  readonly shop: Client
  /** It may read. */
  readonly reader: Client
  /** It may read, but only a few times a second. */
  readonly crawler: Client
  /** It may read, but fewer bytes a second than some streams have. */
  readonly archive: Client
  /** Its key is not one. */
  readonly stranger: Client
}

/** A caller with a key, who asks the gateways in turns. */
export class Client {
  readonly #urls: readonly string[]
  readonly #headers: Readonly<Record<string, string>>
  #turn = 0

  constructor (urls: readonly string[], key: string) {
    this.#urls = urls
    this.#headers = { authorization: `Bearer ${key}` }
  }

  /** @param body JSON, unless it is a text */
  async send (method: string, path: string, body?: object | string): Promise<Answer> {
    const isText = typeof body === 'string'
    const response = await fetch(this.#next() + path, {
      method,
      headers: {
        ...this.#headers, ...(body !== undefined && { 'content-type': isText ? 'text/plain' : 'application/json' })
      },
      body: isText ? body : JSON.stringify(body)
    })
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.includes('json') ?? false
    return { status: response.status, json: isJson ? record(JSON.parse(text)) : {} }
  }

  /** The same, for requests that have to be answered well. @throws when they are not */
  async must (method: string, path: string, body?: object | string): Promise<Answer> {
    const answer = await this.send(method, path, body)
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.json)}`)
    return answer
  }

  /**
   * Opens a live answer and forgets what comes.
   *
   * @param accept the format
   * @returns how it is ended
   */
  follow (path: string, accept: string): () => void {
    const request = httpRequest(this.#next() + path, { headers: { ...this.#headers, accept }, agent: false })
    request.on('response', (response) => {
      response.on('error', () => {})
      response.resume()
    })
    request.on('error', () => {})
    request.end()
    return () => { request.destroy() }
  }

  #next (): string {
    return this.#urls[this.#turn++ % this.#urls.length] ?? ''
  }
}
