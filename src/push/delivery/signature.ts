import { createHmac, hash, randomBytes } from 'node:crypto'

const SECRET_PREFIX = 'whsec_'
const SECRET_BYTES = 32
const MIN_SECRET_BYTES = 24
const MAX_SECRET_BYTES = 64
// 18 bytes.
const ID_LENGTH = 24
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/

/** A new secret, as Standard Webhooks writes one. */
export function newSecret (): string {
  return SECRET_PREFIX + randomBytes(SECRET_BYTES).toString('base64')
}

/** The key of a secret; undefined when the text is not a secret of 24 to 64 bytes. */
export function keyOf (secret: string): Uint8Array | undefined {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : ''
  if (!BASE64.test(text)) return undefined
  // A copy: a buffer of a few bytes would keep the 8 KiB that it was cut from, as long as the subscription is there.
  const key = new Uint8Array(Buffer.from(text, 'base64'))
  return key.length >= MIN_SECRET_BYTES && key.length <= MAX_SECRET_BYTES ? key : undefined
}

/** What a message is, whatever the subscription. */
export interface MessagePlace {
  readonly virtualHost: string
  readonly stream: string
  /** When the broker stored its chunk, ms since 1970: a stream that is created anew has other times. */
  readonly timestamp: number
  readonly offset: number
  /** Of the last message, when there are several. */
  readonly lastOffset?: number | undefined
}

/**
 * The `webhook-id` of a message of a subscription: the same for every try and from every instance. It has no dot, which
 * separates the parts of the signed text. Batches that begin with the same message and end with another one have other
 * ids: an endpoint that knows the one has not seen all of the other.
 */
export function webhookId (
  { virtualHost, stream, timestamp, offset, lastOffset }: MessagePlace, subscription: string
): string {
  const place = [virtualHost, stream, timestamp, offset, subscription]
  const text = JSON.stringify(lastOffset === undefined ? place : [...place, lastOffset])
  return `msg_${hash('sha256', text, 'base64url').slice(0, ID_LENGTH)}`
}

/**
 * The value of `webhook-signature` (Standard Webhooks): one signature for each key, so that a secret can be replaced.
 *
 * @param timestamp seconds since 1970, as in `webhook-timestamp`
 */
export function signatureOf (keys: readonly Uint8Array[], id: string, timestamp: number, body: Uint8Array): string {
  return keys.map((key) => {
    const mac = createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body)
    return `v1,${mac.digest('base64')}`
  }).join(' ')
}
