import { AccessError } from './access-error.ts'

/** What a request presents to show who makes it. */
export type Credential =
  | { readonly type: 'none' }
  | { readonly type: 'key', readonly key: string }
  | { readonly type: 'bearer', readonly token: string }
  | { readonly type: 'basic', readonly user: string, readonly password: string }

/** How every API key begins. */
export const KEY_PREFIX = 'sgw_'

const NONE: Credential = { type: 'none' }
// RFC 6750: the characters of a token.
const BEARER = /^bearer +([A-Za-z0-9._~+/-]+=*)$/i
const BASIC = /^basic +([A-Za-z0-9+/]*={0,2})$/i
// RFC 7617: a user and a password have no control characters.
const CONTROL = /\p{Cc}/u

/**
 * Reads an `Authorization` header. An API key comes as a Bearer token or as the password of Basic, for clients that
 * know nothing else; its user is ignored then.
 *
 * @throws AccessError `unauthorized` when it is malformed or of another kind
 */
export function readCredential (header: string | undefined): Credential {
  if (header === undefined) return NONE
  const [, token] = BEARER.exec(header) ?? []
  if (token !== undefined) return token.startsWith(KEY_PREFIX) ? { type: 'key', key: token } : { type: 'bearer', token }
  const [, encoded] = BASIC.exec(header) ?? []
  if (encoded === undefined) throw malformed('Authorization is neither Bearer nor Basic')
  const text = decoded(encoded)
  const colon = text.indexOf(':')
  if (colon < 0) throw malformed('Basic has no colon')
  const user = text.slice(0, colon)
  const password = text.slice(colon + 1)
  if (CONTROL.test(text)) throw malformed('Basic has control characters')
  return password.startsWith(KEY_PREFIX) ? { type: 'key', key: password } : { type: 'basic', user, password }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decoded (encoded: string): string {
  try {
    return utf8.decode(Buffer.from(encoded, 'base64'))
  } catch (cause) {
    throw malformed('Basic is not UTF-8', cause)
  }
}

function malformed (reason: string, cause?: unknown): AccessError {
  const message = 'Authorization has to be "Bearer" and a token, or "Basic" and user:password in base64'
  return new AccessError('unauthorized', message, { reason, cause })
}
