import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { until } from './until.ts'

/** A delivery as it came. */
export interface Delivery {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body, parsed; undefined when it is not JSON. */
  readonly json: unknown
  /** The header `stream-offset`. */
  readonly offset: number
  /** The header `delivery-attempt`. */
  readonly attempt: number
  /** By performance.now(). */
  readonly atMs: number
  /** The status of the answer; 0: there is none. */
  answered: number
}

/**
 * What the receiver does with a delivery:
 * - a status, or an answer
 * - `hang`: it never answers
 * - `reset`: it closes the connection without an answer
 */
export type Reaction =
  | number
  | { status: number, headers?: Record<string, string>, body?: string, delayMs?: number }
  | 'hang'
  | 'reset'

export interface PushReceiver {
  readonly url: string
  readonly port: number
  /** Every delivery in the order in which its body was read to the end. */
  readonly deliveries: Delivery[]
  /** Offsets of the deliveries that were answered 2xx, in their order. */
  readonly processed: number[]
  /** How many requests are being answered. */
  readonly inFlight: number
  /** From now on deliveries are answered so. */
  react: (reaction: Reaction | ((delivery: Delivery) => Reaction | Promise<Reaction>)) => void
  /** Settles when there are so many deliveries. @throws when it takes too long */
  received: (count: number, timeoutMs?: number) => Promise<Delivery[]>
  close: () => Promise<void>
}

/** Starts an HTTP server on 127.0.0.1 that plays an endpoint: it answers 204 until it is told otherwise. */
export async function startReceiver (
  t: { teardown: (end: () => unknown) => unknown }, port = 0
): Promise<PushReceiver> {
  const deliveries: Delivery[] = []
  const processed: number[] = []
  let inFlight = 0
  let react: (delivery: Delivery) => Reaction | Promise<Reaction> = () => 204
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const delivery: Delivery = {
        path: request.url ?? '',
        headers: request.headers,
        body,
        json: jsonOf(body),
        offset: Number(request.headers['stream-offset']),
        attempt: Number(request.headers['delivery-attempt']),
        atMs: performance.now(),
        answered: 0
      }
      deliveries.push(delivery)
      inFlight++
      response.once('close', () => { inFlight-- })
      void Promise.resolve(react(delivery)).then(async (reaction) => {
        const status = await answer(response, reaction)
        delivery.answered = status
        if (status >= 200 && status < 300) processed.push(delivery.offset)
      })
    })
  })
  await new Promise<void>((resolve) => { server.listen(port, '127.0.0.1', resolve) })
  const address = server.address()
  const listening = typeof address === 'object' && address !== null ? address.port : port
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise<void>((resolve) => { server.close(() => { resolve() }) })
  }
  t.teardown(close)
  return {
    url: `http://127.0.0.1:${listening}/hook`,
    port: listening,
    deliveries,
    processed,
    get inFlight () { return inFlight },
    react (reaction) { react = typeof reaction === 'function' ? reaction : () => reaction },
    async received (count, timeoutMs) {
      await until(`${count} deliveries`, () => deliveries.length >= count, timeoutMs)
      return deliveries
    },
    close
  }
}

// Returns the status that was answered; 0: no answer.
async function answer (response: ServerResponse, reaction: Reaction): Promise<number> {
  if (reaction === 'hang') return 0
  if (reaction === 'reset') {
    response.socket?.resetAndDestroy()
    return 0
  }
  const { status, headers = {}, body, delayMs = 0 } = typeof reaction === 'number' ? { status: reaction } : reaction
  if (delayMs > 0) await delay(delayMs)
  if (response.destroyed) return 0
  response.writeHead(status, headers)
  response.end(body)
  return status
}

function jsonOf (body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}
