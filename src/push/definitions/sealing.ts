import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import type { SubscriptionKey } from './definitions.ts'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const NAME_LENGTH = 8
const PLAIN = 'plain'

/**
 * Seals secrets before they are written into a stream, and opens them. A sealed text names its key, so that keys can be
 * replaced: the first one seals, all of them open.
 */
export class Sealing {
  readonly #keys: ReadonlyArray<{ readonly name: string, readonly key: Buffer }>

  /** @param keys of 32 bytes, the newest first; without one nothing is sealed */
  constructor (keys: readonly Buffer[]) {
    if (keys.some((key) => key.length !== KEY_BYTES)) throw new RangeError(`a key must have ${KEY_BYTES} bytes`)
    this.#keys = keys.map((key) => ({ name: nameOf(key), key }))
  }

  /** @param context what the text belongs to: it opens nowhere else */
  seal (text: string, context: string): string {
    const [newest] = this.#keys
    if (newest === undefined) return `${PLAIN}.${Buffer.from(text).toString('base64url')}`
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, newest.key, nonce)
    cipher.setAAD(Buffer.from(context))
    const bytes = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `${newest.name}.${bytes.toString('base64url')}`
  }

  /** Whether `seal` would use the same key. */
  isNewest (sealed: string): boolean {
    return sealed.startsWith(`${this.#keys[0]?.name ?? PLAIN}.`)
  }

  /** Undefined when its key is not there, or when it was changed. */
  open (sealed: string, context: string): string | undefined {
    const [name = '', text = ''] = sealed.split('.', 2)
    const bytes = Buffer.from(text, 'base64url')
    if (name === PLAIN) return bytes.toString()
    const key = this.#keys.find((known) => known.name === name)?.key
    if (key === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined
    const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      return decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    } catch {
      return undefined
    }
  }
}

/** What the secrets and the header values of a subscription belong to: see `Sealing.seal`. */
export function sealContext ({ source, stream, subscription }: SubscriptionKey): string {
  return JSON.stringify([source, stream, subscription])
}

function nameOf (key: Buffer): string {
  return createHash('sha256').update(key).digest('hex').slice(0, NAME_LENGTH)
}
