import type { IncomingMessage } from 'node:http'
import { RequestError } from '../problems.ts'
import { ByteCollector } from './byte-collector.ts'

/** The memory that one request's body may take, of a budget that all requests share. */
export interface BodyBudget {
  /** Holds so many bytes from now on, more or fewer than before. @throws RequestError `overloaded`, and then holds what it held */
  hold (bytes: number): void
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
  if (announcedBytes(request) > limitBytes) throw tooLarge(limitBytes, limitName)
  let receivedBytes = 0
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) continue
    receivedBytes += chunk.length
    if (receivedBytes > limitBytes) throw tooLarge(limitBytes, limitName)
    yield chunk
  }
}

/**
 * Reads a whole body. What is allocated for it is held in the budget, not what has arrived.
 *
 * @throws RequestError `payload_too_large`, or `overloaded` when all bodies together are too much
 */
export async function readBody (request: IncomingMessage, limitBytes: number, limitName: string, budget: BodyBudget): Promise<Buffer> {
  try {
    return await collect(request, limitBytes, limitName, budget)
  } catch (error) {
    budget.hold(0)
    discard(request)
    throw error
  }
}

// By events, not by an iterator: for a body of one message that is a fifth of the cost.
async function collect (request: IncomingMessage, limitBytes: number, limitName: string, budget: BodyBudget): Promise<Buffer> {
  if (announcedBytes(request) > limitBytes) throw tooLarge(limitBytes, limitName)
  const body = new ByteCollector(Math.min(announcedBytes(request), limitBytes))
  let failure: { error: unknown } | undefined
  let isEnded = false
  await new Promise<void>((resolve) => {
    const add = (chunk: Buffer): void => {
      try {
        if (body.length + chunk.length > limitBytes) throw tooLarge(limitBytes, limitName)
        budget.hold(body.capacityFor(chunk.length))
        body.append(chunk)
      } catch (error) {
        fail(error)
      }
    }
    const fail = (error: unknown): void => {
      failure ??= { error }
      settle()
    }
    const end = (): void => {
      isEnded = true
      settle()
    }
    const settle = (): void => {
      request.off('data', add).off('end', end).off('error', fail).off('close', settle)
      resolve()
    }
    request.on('data', add).once('end', end).once('error', fail).once('close', settle)
    if (request.destroyed) settle()
  })
  if (failure !== undefined) throw failure.error
  if (!isEnded) throw new Error('the client went away')
  return body.take()
}

/** What `Content-Length` says; 0 without one. */
export function announcedBytes (request: Pick<IncomingMessage, 'headers'>): number {
  return Number(request.headers['content-length'] ?? 0)
}

const discarding = new WeakMap<IncomingMessage, Promise<void>>()

/**
 * Drops the rest of a body. An answer sent while the client still writes is lost if the connection is closed under it,
 * so the rest is read, up to a bound.
 */
export function discard (request: IncomingMessage): void {
  if (request.complete || request.destroyed || discarding.has(request)) return
  let discardedBytes = 0
  request.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.length
    if (discardedBytes > MAX_DISCARDED_BYTES) request.destroy()
  })
  discarding.set(request, new Promise((resolve) => {
    request.once('end', resolve)
    request.once('close', resolve)
    // The client may go away while its rest is dropped, which is nobody's concern any more.
    request.on('error', () => { resolve() })
  }))
  request.resume()
}

/** Settles when the rest of a body is dropped, if it is being dropped. */
export function discarded (request: IncomingMessage): Promise<void> | undefined {
  return discarding.get(request)
}

function tooLarge (limitBytes: number, limitName: string): RequestError {
  return new RequestError('payload_too_large', `the body is larger than ${limitName} (${limitBytes} bytes)`)
}
