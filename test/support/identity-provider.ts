import type { Test } from 'tap'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { JWK } from 'jose'

type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** An identity provider on the loopback: its discovery and its key set. What it answers can be changed at any time. */
export class IdentityProvider {
  readonly #server: Server
  /** The paths that were asked for, in order. */
  readonly asked: string[] = []
  keys: readonly JWK[]
  /** In place of a path's usual answer. */
  readonly answers = new Map<string, Answer>()

  private constructor (keys: readonly JWK[]) {
    this.keys = keys
    this.#server = createServer((request, response) => {
      const path = request.url ?? ''
      this.asked.push(path)
      const answer = this.answers.get(path)
      if (answer !== undefined) answer(request, response)
      else if (path === '/.well-known/openid-configuration') this.sendJson(response, this.discovery)
      else if (path === '/keys') this.sendJson(response, { keys: this.keys })
      else response.writeHead(404).end()
    })
  }

  /** It is closed with the test. */
  static async start (t: Test, keys: readonly JWK[]): Promise<IdentityProvider> {
    const provider = new IdentityProvider(keys)
    await new Promise<void>((resolve) => { provider.#server.listen(0, '127.0.0.1', resolve) })
    t.teardown(() => {
      provider.#server.close()
      provider.#server.closeAllConnections()
    })
    return provider
  }

  get issuer (): string {
    const address = this.#server.address()
    if (typeof address !== 'object' || address === null) throw new Error('the provider does not listen')
    return `http://127.0.0.1:${address.port}`
  }

  get discovery (): Record<string, unknown> {
    return { issuer: this.issuer, jwks_uri: `${this.issuer}/keys` }
  }

  sendJson (response: ServerResponse, value: unknown): void {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify(value))
  }

  /** Answers 503 to everything from now on. */
  fail (): void {
    for (const path of ['/.well-known/openid-configuration', '/keys']) {
      this.answers.set(path, (_request, response) => { response.writeHead(503).end() })
    }
  }

  recover (): void {
    this.answers.clear()
  }
}
