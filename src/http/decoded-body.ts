import type { IncomingMessage } from 'node:http'
import { RequestError } from '../api/problems.ts'
import type { BodyClaim } from './body-budget.ts'
import { bodyMeterOf } from './body-meter.ts'
import type { ContentCoding, DecoderStream } from './content-coding.ts'

interface CodedBody {
  readonly coding: ContentCoding
  /** The claim of the request, which holds the memory of the decoder too. */
  readonly claim: () => BodyClaim
}

/** The bodies that are compressed. Others cost nothing. */
const coded = new WeakMap<IncomingMessage, CodedBody>()

/** From now on the body of the request is read through a decoder. */
export function decodeBody (request: IncomingMessage, coding: ContentCoding, claim: () => BodyClaim): void {
  coded.set(request, { coding, claim })
}

/** Whether the body of the request is read through a decoder. */
export function isCoded (request: IncomingMessage): boolean {
  return request.headers['content-encoding'] !== undefined && coded.has(request)
}

/**
 * The chunks of a compressed body as they are decoded, in the threads of the runtime. The body is not read on while
 * nobody takes them. Leaving the loop early does not close the connection.
 *
 * @param limitBytes of the compressed bytes
 * @throws RequestError `bad_request` when the body is damaged or ends too early, `overloaded`, what `tooLarge` makes
 * @throws the error of the request when the client goes away
 */
export async function * decodedChunks (
  request: IncomingMessage,
  limitBytes: number,
  tooLarge: () => RequestError
): AsyncGenerator<Buffer> {
  const body = coded.get(request)
  const start = await firstChunk(request)
  if (body === undefined || start === undefined) return
  const { coding } = body
  const { open, memoryBytes } = coding.decoderFor(start)
  const claim = body.claim()
  try {
    claim.holdBeside(memoryBytes)
    yield * decode(request, start, open(), { coding, limitBytes, tooLarge })
  } finally {
    claim.holdBeside(0)
  }
}

interface Decoding { coding: ContentCoding, limitBytes: number, tooLarge: () => RequestError }

async function * decode (
  request: IncomingMessage,
  start: Buffer,
  decoder: DecoderStream,
  { coding, limitBytes, tooLarge }: Decoding
): AsyncGenerator<Buffer> {
  let fedBytes = 0
  let isWhole = false
  let failure: { error: unknown } | undefined
  const meter = bodyMeterOf(request)
  const fail = (error: unknown): void => {
    failure ??= { error }
    decoder.destroy()
  }
  const feed = (chunk: Buffer): void => {
    fedBytes += chunk.length
    meter?.count(chunk.length)
    if (fedBytes > limitBytes) fail(tooLarge())
    else if (!decoder.write(chunk)) request.pause()
  }
  const end = (): void => {
    isWhole = true
    decoder.end()
  }
  const gone = (): void => { if (!isWhole) fail(new Error('the client went away')) }
  const readOn = (): void => { request.resume() }
  decoder.on('drain', readOn)
  // It ends the loop below; without a listener it could end the process when the loop was left.
  decoder.on('error', () => {})
  request.on('data', feed).once('end', end).once('error', fail).once('close', gone)
  try {
    feed(start)
    if (!decoder.writableNeedDrain) readOn()
    for await (const chunk of decoder) if (Buffer.isBuffer(chunk)) yield chunk
    // The decoder has ended before the body: what follows belongs to nothing.
    if (!isWhole || decoder.bytesWritten !== fedBytes) throw damaged(coding, 'has bytes behind its end')
  } catch (error) {
    throw failure === undefined ? faultOf(error, coding) : failure.error
  } finally {
    request.off('data', feed).off('end', end).off('error', fail).off('close', gone).pause()
    decoder.destroy()
  }
}

/** Settles with the first bytes of a body, and undefined when it has none. */
async function firstChunk (request: IncomingMessage): Promise<Buffer | undefined> {
  return await new Promise((resolve, reject) => {
    const settle = (chunk: Buffer | undefined): void => {
      request.off('data', take).off('end', end).off('error', reject).off('close', gone).pause()
      resolve(chunk)
    }
    const take = (chunk: Buffer): void => { settle(chunk) }
    const end = (): void => { settle(undefined) }
    const gone = (): void => { reject(new Error('the client went away')) }
    request.on('data', take).once('end', end).once('error', reject).once('close', gone)
    if (request.readableEnded) end()
    else if (request.destroyed) gone()
    else request.resume()
  })
}

function faultOf (error: unknown, coding: ContentCoding): unknown {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (code === 'Z_BUF_ERROR') return damaged(coding, 'ends too early', error)
  return /^(Z_|ERR_|ZSTD_)/.test(code) ? damaged(coding, 'is damaged', error) : error
}

function damaged ({ name }: ContentCoding, fault: string, cause?: unknown): RequestError {
  const message = `the body is not the ${name} that Content-Encoding says: it ${fault}`
  return new RequestError('bad_request', message, { cause })
}
