import { hash, randomInt } from 'node:crypto'
import { KEY_PREFIX } from '../credential.ts'
import { crc32 } from './crc32.ts'

const ID_LENGTH = 8
// 62^43 is just above 2^256.
const SECRET_LENGTH = 43
const CHECKSUM_LENGTH = 6
const SMALL = '0123456789abcdefghijklmnopqrstuvwxyz'
const BASE_62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const FORM = new RegExp(
  `^${KEY_PREFIX}([${SMALL}]{${ID_LENGTH}})_[${BASE_62}]{${SECRET_LENGTH}}([${BASE_62}]{${CHECKSUM_LENGTH}})$`
)

/** The number of characters of a key. */
export const KEY_LENGTH = KEY_PREFIX.length + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH

/**
 * A new API key: `sgw_`, an id that is no secret, 256 random bits, and a checksum. Scanners find such keys where they
 * should not be, and a key that was mistyped is known without asking anybody.
 */
export function makeKey (): { readonly id: string, readonly key: string } {
  const id = randomText(SMALL, ID_LENGTH)
  const unchecked = `${KEY_PREFIX}${id}_${randomText(BASE_62, SECRET_LENGTH)}`
  return { id, key: unchecked + checksumOf(unchecked) }
}

/**
 * The id in a key.
 *
 * @returns undefined for a text that is not a key, and for a key whose checksum does not match
 */
export function idOfKey (text: string): string | undefined {
  const [, id, checksum] = FORM.exec(text) ?? []
  return checksum === checksumOf(text.slice(0, -CHECKSUM_LENGTH)) ? id : undefined
}

/**
 * The SHA-256 of the whole key in hexadecimal, which is all that the gateway keeps of it. 256 random bits cannot be
 * guessed from a hash, so that a slow one would only help those who want to keep the gateway busy.
 */
export function hashOfKey (key: string): string {
  return hash('sha256', key, 'hex')
}

function checksumOf (text: string): string {
  let rest = crc32(text)
  let checksum = ''
  for (let index = 0; index < CHECKSUM_LENGTH; index++) {
    checksum = `${BASE_62[rest % BASE_62.length] ?? ''}${checksum}`
    rest = Math.floor(rest / BASE_62.length)
  }
  return checksum
}

function randomText (alphabet: string, length: number): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('')
}
