import { Agent, type Dispatcher } from 'undici'
import { newSecret, keyOf, signatureOf, webhookId } from '../../src/push/delivery/signature.ts'
import { work, type Sample } from './worker.ts'

/** Signed requests, the same body again and again. */
export interface BarePushConfig {
  readonly url: string
  readonly inFlight: number
  readonly body: string
  /** In one body. */
  readonly messages: number
}

/*
 * What signing and sending cost alone: undici's agent with as many connections as requests in flight, the headers of a
 * delivery, nothing else. There is no timeout, and the answer is not read but for its status.
 */
await work<BarePushConfig>(async ({ url, inFlight, body: text, messages }) => {
  const agent = new Agent({ connections: inFlight, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 })
  const { origin, pathname: path } = new URL(url)
  const key = keyOf(newSecret())
  if (key === undefined) throw new Error('a new secret has a key')
  const body = Buffer.from(text)
  let offset = 0

  const send = async (): Promise<void> => {
    const now = Date.now()
    const seconds = Math.floor(now / 1000)
    const id = webhookId({ virtualHost: '/', stream: 'bare', timestamp: now, offset: offset++ }, 'bench')
    const headers = {
      'content-type': 'application/json',
      'stream-name': 'bare',
      'stream-subscription': 'bench',
      'delivery-generation': '1',
      'user-agent': 'bench',
      'stream-offset': String(offset),
      'stream-timestamp': new Date(now).toISOString(),
      'delivery-attempt': '1',
      'webhook-id': id,
      'webhook-timestamp': String(seconds),
      'webhook-signature': signatureOf([key], id, seconds, body)
    }
    await new Promise<void>((resolve, reject) => {
      agent.dispatch({ origin, path, method: 'POST', headers, body }, handler(resolve, reject))
    })
  }
  return async (seconds): Promise<Sample> => {
    const startedMs = performance.now()
    const endMs = startedMs + seconds * 1000
    const latenciesMs: number[] = []
    await Promise.all(Array.from({ length: inFlight }, async () => {
      for (let sentMs = performance.now(); sentMs < endMs; sentMs = performance.now()) {
        await send()
        latenciesMs.push(performance.now() - sentMs)
      }
    }))
    return { count: latenciesMs.length * messages, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
  }
})

function handler (resolve: () => void, reject: (error: Error) => void): Dispatcher.DispatchHandler {
  let status = 0
  return {
    onRequestStart () {},
    onResponseStart (_controller, answered) { status = answered },
    onResponseData () {},
    onResponseEnd () {
      if (status === 204) resolve()
      else reject(new Error(`answered with ${status}`))
    },
    onResponseError (_controller, error) { reject(error) }
  }
}
