import type { IncomingMessage } from 'node:http'
import { RequestError } from '../api/problems.ts'
import type { BodyClaim } from './body-budget.ts'
import { bodyMeterOf } from './body-meter.ts'
import { ByteCollector } from '../text/byte-collector.ts'
import { decodedChunks, isCoded } from './decoded-body.ts'

// How much of an unwanted body is read and dropped, so that the client can finish sending and read its answer.
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024
// Most clients stop sending when they see the answer. Without the delay, a MiB or two of each refused body of a burst
// would be read before the next request is looked at.
const DISCARD_DELAY_MS = 100
const SMALL_BODY_BYTES = 64 * 1024

/**
 * The chunks of a body as they come, at most `limitBytes` in all; of a compressed one as they are decoded. Leaving the
 * loop early does not close the connection; call {@link discard} then.
 *
 * @throws RequestError `payload_too_large`; `bad_request` when a compressed body is damaged
 * @throws the stream's error when the client goes away
 */
export async function * bodyChunks (
  request: IncomingMessage,
  limitBytes: number,
  limitName: string
): AsyncGenerator<Buffer> {
  if (announcedBytes(request) > limitBytes) throw tooLarge(limitBytes, limitName)
  let receivedBytes = 0
  const isDecoded = isCoded(request)
  // What is decoded is counted before.
  const meter = isDecoded ? undefined : bodyMeterOf(request)
  const chunks: AsyncIterable<unknown> = isDecoded
    ? decodedChunks(request, limitBytes, () => tooLarge(limitBytes, limitName))
    : request.iterator({ destroyOnReturn: false })
  for await (const chunk of chunks) {
    if (!Buffer.isBuffer(chunk)) continue
    receivedBytes += chunk.length
    meter?.count(chunk.length)
    if (receivedBytes > limitBytes) throw tooLarge(limitBytes, limitName)
    yield chunk
  }
}

/**
 * Reads a whole body. The budget holds what is allocated for the body, not what has arrived.
 *
 * @throws RequestError `payload_too_large`, or `overloaded` when all bodies together are too much; `bad_request` when a
 *   compressed body is damaged
 */
export async function readBody (
  request: IncomingMessage,
  limitBytes: number,
  limitName: string,
  claim: BodyClaim
): Promise<Buffer> {
  try {
    return await (isCoded(request) ? collectDecoded : collect)(request, limitBytes, limitName, claim)
  } catch (error) {
    claim.hold(0)
    discard(request)
    throw error
  }
}

async function collectDecoded (
  request: IncomingMessage,
  limitBytes: number,
  limitName: string,
  claim: BodyClaim
): Promise<Buffer> {
  const body = new ByteCollector(limitBytes)
  for await (const chunk of bodyChunks(request, limitBytes, limitName)) {
    claim.hold(body.capacityFor(chunk.length))
    body.append(chunk)
  }
  return body.take()
}

// With events instead of an iterator: for a body of one message that is a fifth of the cost.
async function collect (
  request: IncomingMessage,
  limitBytes: number,
  limitName: string,
  claim: BodyClaim
): Promise<Buffer> {
  if (announcedBytes(request) > limitBytes) throw tooLarge(limitBytes, limitName)
  const body = new ByteCollector(Math.min(announcedBytes(request) || limitBytes, limitBytes))
  const meter = bodyMeterOf(request)
  let failure: { error: unknown } | undefined
  let isEnded = false
  await new Promise<void>((resolve) => {
    const add = (chunk: Buffer): void => {
      meter?.count(chunk.length)
      try {
        if (body.length + chunk.length > limitBytes) throw tooLarge(limitBytes, limitName)
        claim.hold(body.capacityFor(chunk.length))
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

// The listeners for the end of each body that is being dropped.
const discarding = new WeakMap<IncomingMessage, Array<() => void>>()

/**
 * Drops the rest of a body. An answer sent while the client still writes is lost if the connection is then closed, so
 * the rest is read, up to a bound.
 *
 * @param whenOver called once, when no more bytes will arrive
 */
export function discard (request: IncomingMessage, whenOver: () => void = () => {}): void {
  if (request.complete || request.destroyed) {
    queueMicrotask(whenOver)
    return
  }
  const waiting = discarding.get(request)
  if (waiting !== undefined) {
    waiting.push(whenOver)
    return
  }
  const listeners = [whenOver]
  discarding.set(request, listeners)
  const end = (): void => { for (const listener of listeners.splice(0)) listener() }
  request.pause()
  // Added only now: a stream with this listener begins to flow by itself when another reader lets go of it.
  const drop = (): void => {
    let discardedBytes = 0
    request.on('data', (chunk: Buffer) => {
      discardedBytes += chunk.length
      if (discardedBytes > MAX_DISCARDED_BYTES) request.destroy()
    })
    request.resume()
  }
  const timer = setTimeout(drop, isLarge(request) ? DISCARD_DELAY_MS : 0)
  request.on('close', () => { clearTimeout(timer) })
  // The client may go away while the rest of its body is dropped; that is not an error.
  request.on('end', end).on('close', end).on('error', end)
}

function isLarge ({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || announcedBytes({ headers }) > SMALL_BODY_BYTES
}

function tooLarge (limitBytes: number, limitName: string): RequestError {
  return new RequestError('payload_too_large', `the body is larger than ${limitName} (${limitBytes} bytes)`)
}
