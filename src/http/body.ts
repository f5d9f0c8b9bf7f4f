import type { IncomingMessage } from 'node:http'
import { RequestError } from '../problems.ts'
import { ByteCollector } from './byte-collector.ts'

/** Memory that bodies may take; shared by all requests. */
export interface BodyBudget {
  /** Whether so many more bytes may be held; if so, they are. */
  tryTake (bytes: number): boolean
}

// How much of a body that nobody wants is read and dropped, so that the client can finish sending and read its answer.
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024

/**
 * The chunks of a body as they come, at most `limitBytes` in all. Leaving the loop early does not close the connection;
 * call {@link discard} then.
 *
 * @throws RequestError `payload_too_large`
 * @throws the stream's error when the client goes away
 */
export async function * bodyChunks (request: IncomingMessage, limitBytes: number, limitName: string): AsyncGenerator<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limitBytes) throw tooLarge(limitBytes, limitName)
  let receivedBytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue
    receivedBytes += chunk.length
    if (receivedBytes > limitBytes) throw tooLarge(limitBytes, limitName)
    yield chunk
  }
}

/**
 * Reads a whole body.
 *
 * @throws RequestError `payload_too_large`, or `overloaded` when all bodies together are too much
 */
export async function readBody (request: IncomingMessage, limitBytes: number, limitName: string, budget: BodyBudget): Promise<Buffer> {
  const body = new ByteCollector()
  try {
    for await (const chunk of bodyChunks(request, limitBytes, limitName)) {
      if (!budget.tryTake(chunk.length)) throw new RequestError('overloaded', 'too many bodies are being read at once', { retryable: true })
      body.append(chunk)
    }
    return body.take()
  } catch (error) {
    discard(request)
    throw error
  }
}

/**
 * Drops the rest of a body. An answer sent while the client still writes is lost if the connection is closed under it,
 * so the rest is read, up to a bound.
 */
export function discard (request: IncomingMessage): void {
  if (request.complete || request.destroyed) return
  let discardedBytes = 0
  request.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.length
    if (discardedBytes > MAX_DISCARDED_BYTES) request.destroy()
  })
  // The client may go away while its rest is dropped, which is nobody's concern any more.
  request.on('error', () => {})
  request.resume()
}

function tooLarge (limitBytes: number, limitName: string): RequestError {
  return new RequestError('payload_too_large', `the body is larger than ${limitName} (${limitBytes} bytes)`)
}
