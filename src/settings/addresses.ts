import { isIP } from 'node:net'
import { MAX_PREFIX_LENGTH, toPathPrefix } from '../text/path-prefix.ts'
import { BadValue } from './setting-reader.ts'

// Paths of the gateway itself: whether they are a prefix or not could not be told.
const OWN_PATHS = /^\/(?:v1|docs|health|metrics|problems|openapi\.json)(?:\/|$)/

/** The content of `HTTP_PATH_PREFIX`. @throws BadValue */
export function parsePathPrefix (text: string): string {
  const prefix = toPathPrefix(text)
  if (prefix === undefined) {
    throw new BadValue(`must be a path like /gw, of letters, digits and ._~-, up to ${MAX_PREFIX_LENGTH} characters`)
  }
  if (OWN_PATHS.test(prefix)) throw new BadValue('must not begin with a path of the gateway itself')
  return prefix
}

/** An address, or a network of addresses. */
export interface Network { address: string, family: 'ipv4' | 'ipv6', bits: number }

/** The content of `TRUST_PROXY`. @throws BadValue */
export function parseTrustedProxies (text: string): Network[] {
  return itemsOf(text).map((item) => {
    const [address = '', bits, ...rest] = item.split('/')
    const family = isIP(address)
    const maxBits = family === 4 ? 32 : 128
    const given = bits === undefined ? maxBits : /^\d{1,3}$/.test(bits) ? Number(bits) : NaN
    if (family === 0 || rest.length > 0 || !(given <= maxBits)) {
      throw new BadValue('must be addresses and CIDRs like 10.0.0.0/8, separated by commas')
    }
    return { address, family: family === 4 ? 'ipv4' : 'ipv6', bits: given }
  })
}

const HOST_PATTERN = /^(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/

/** The content of `HTTP_ALLOWED_HOSTS`, in small letters. @throws BadValue */
export function parseHostPatterns (text: string): string[] {
  const patterns = itemsOf(text).map((item) => item.toLowerCase())
  if (!patterns.every((pattern) => HOST_PATTERN.test(pattern))) {
    throw new BadValue('must be host names like gw.example.com or *.example.com, without ports, separated by commas')
  }
  return patterns
}

// Browser extensions and apps have schemes of their own.
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9._[\]:-]+$/

/** Every origin, which is accepted with authentication only. */
export const ANY_ORIGIN = '*'

/** The content of `CORS_ORIGINS`. @throws BadValue */
export function parseOrigins (text: string): string[] {
  const origins = itemsOf(text)
  if (origins.length === 1 && origins[0] === ANY_ORIGIN) return origins
  if (!origins.every(isOrigin)) {
    throw new BadValue('must be origins like https://app.example.com, without a path, separated by commas')
  }
  return origins
}

function isOrigin (text: string): boolean {
  if (!ORIGIN.test(text) || !URL.canParse(text)) return false
  // A browser writes the port only when it is not the usual one, and the name in small letters.
  return !/^https?:/.test(text) || new URL(text).origin === text
}

/** The items of a list that commas separate, without the spaces around them. */
export function itemsOf (text: string): string[] {
  const items = text.split(',').map((item) => item.trim()).filter((item) => item !== '')
  if (items.length === 0) throw new BadValue('is empty')
  return items
}

/** Whether an address to listen on is of this machine alone. */
export function isLoopback (host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.')
  return host === '::1' || host === 'localhost'
}
