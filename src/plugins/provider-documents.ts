import { Agent } from 'undici'

const TIMEOUT_MS = 5000
const MAX_BYTES = 1024 * 1024

/** JSON documents of an identity provider, each within five seconds and a mebibyte. Redirects are not followed. */
export class ProviderDocuments {
  readonly #agent = new Agent({
    connections: 2,
    connect: { timeout: TIMEOUT_MS },
    headersTimeout: TIMEOUT_MS,
    bodyTimeout: TIMEOUT_MS,
    maxResponseSize: MAX_BYTES,
    keepAliveTimeout: 1000
  })

  /** @throws Error whose message says what was wrong, and shows nothing of the document */
  async get (address: string): Promise<unknown> {
    const { origin, pathname, search } = new URL(address)
    const { statusCode, body } = await this.#agent.request({
      origin,
      path: pathname + search,
      method: 'GET',
      headers: { accept: 'application/json, application/jwk-set+json' },
      signal: AbortSignal.timeout(TIMEOUT_MS)
    }).catch((error: unknown) => { throw failed(address, error) })
    if (statusCode !== 200) {
      // The rest is not read, and the error of destroying it is not used.
      body.on('error', () => {}).destroy()
      throw new Error(statusCode >= 300 && statusCode < 400
        ? `${address} answered ${statusCode}; redirects are not followed`
        : `${address} answered ${statusCode}`)
    }
    try {
      return await body.json()
    } catch (error) {
      throw error instanceof SyntaxError ? new Error(`${address} did not answer with JSON`) : failed(address, error)
    }
  }

  async close (): Promise<void> {
    await this.#agent.destroy()
  }
}

function failed (address: string, error: unknown): Error {
  if (!(error instanceof Error)) return new Error(`${address} did not answer`)
  if (error.name === 'TimeoutError') return new Error(`${address} did not answer within ${TIMEOUT_MS / 1000} seconds`)
  const code = 'code' in error ? String(error.code) : error.name
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return new Error(`the answer of ${address} is longer than 1 MiB`)
  return new Error(`${address} did not answer (${code})`)
}
