import type { FastifyInstance, FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { pipeline, Readable } from 'node:stream'
import { negotiateCoding } from '../http/accept.ts'
import { ANSWER_CODINGS } from '../http/encoders.ts'
import { vary } from '../http/vary.ts'
import { mediaTypeOf } from '../messages/index.ts'

interface CompressionOptions { compressResponses: boolean }

// A smaller answer fits into one packet anyway.
const MIN_BYTES = 1024
// Their memory is in no budget. Beyond this number an answer leaves as it is.
const MAX_ENCODERS = 64
// What is compressed already stays as it is, and so do problems: they are small, and the answer to a refused body ends
// only with that body.
const COMPRESSIBLE =
  /^text\/|^application\/(?!problem\+json)(?:.+\+)?(?:json|xml|javascript|x-ndjson|yaml)$|^image\/svg/
const CODING_NAMES = ANSWER_CODINGS.map(({ name }) => name)

/** Compresses answers for clients that accept it. When it is off, no request comes here. */
function compression (app: FastifyInstance, { compressResponses }: CompressionOptions): void {
  if (!compressResponses) return
  let encoders = 0

  app.addHook('onSend', (request, reply, payload, done) => {
    const bytes = compressibleBytes(reply, payload)
    if (bytes === undefined) {
      done(null, payload)
      return
    }
    vary(reply, 'Accept-Encoding')
    const name = negotiateCoding(acceptedBy(request.headers), CODING_NAMES)
    const coding = bytes < MIN_BYTES ? undefined : ANSWER_CODINGS.find((coding) => coding.name === name)
    if (coding === undefined || encoders >= MAX_ENCODERS) {
      done(null, payload)
      return
    }
    // Its length is known only at its end.
    reply.header('content-encoding', coding.name).removeHeader('content-length')
    if (request.method === 'HEAD') {
      if (payload instanceof Readable) payload.destroy()
      done(null, Readable.from([]))
      return
    }
    encoders++
    const encoder = coding.open(bytes).once('close', () => { encoders-- })
    // An error of either ends the answer: Fastify watches the encoder, and nobody else has to be told.
    if (payload instanceof Readable) pipeline(payload, encoder, () => {})
    else encoder.end(payload)
    done(null, encoder)
  })
}

/** The size of an answer that may be compressed; undefined of any other. */
function compressibleBytes (reply: FastifyReply, payload: unknown): number | undefined {
  const { statusCode } = reply
  if (statusCode === 204 || statusCode === 206 || statusCode === 304) return undefined
  // An answer with an ETag is another one when it is compressed.
  if (reply.hasHeader('content-encoding') || reply.hasHeader('etag')) return undefined
  if (!COMPRESSIBLE.test(mediaTypeOf(String(reply.getHeader('content-type') ?? '')))) return undefined
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  if (payload instanceof Uint8Array) return payload.length
  // A stream without a length may be live: its parts must not wait for one another.
  const length = payload instanceof Readable ? reply.getHeader('content-length') : undefined
  return length === undefined ? undefined : Number(length)
}

function acceptedBy ({ 'accept-encoding': accept }: { 'accept-encoding'?: string | string[] | undefined }) {
  return Array.isArray(accept) ? accept.join(',') : accept
}

export default fp<CompressionOptions>(async (app, options) => compression(app, options), {
  name: 'compression',
  dependencies: ['requests']
})
