import { MessageFormatError } from './format-error.ts'

const MAX_KEPT_HEADERS = 32
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]{1,100}$/

// Headers that belong to a connection or describe the transfer: they say nothing about the message.
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection', 'content-encoding', 'content-length', 'expect', 'keep-alive', 'proxy-authenticate', 'proxy-connection',
  'te', 'trailer', 'transfer-encoding', 'upgrade'
])
// Everybody who may read the stream would see them.
const CREDENTIALS: ReadonlySet<string> = new Set([
  'authentication-info', 'authorization', 'cookie', 'cookie2', 'proxy-authentication-info', 'proxy-authorization',
  'set-cookie', 'set-cookie2', 'www-authenticate', 'x-api-key', 'x-amz-security-token', 'x-auth-token',
  'x-csrf-token', 'x-forwarded-access-token', 'x-xsrf-token'
])
const POINTER = '/query/keep'

/** The description of the parameter that names headers to keep. */
export const KEPT_HEADERS =
  'Request headers that become application properties of the same names, in lower case: up to ' +
  `${MAX_KEPT_HEADERS} names, with commas between them. Headers that the request does not have are left out. ` +
  'Credentials and headers of the connection are refused.'

/**
 * The names of the headers that a caller wants to keep, in lower case, each once.
 *
 * @throws MessageFormatError
 */
export function parseKeptHeaders (list: string | undefined): readonly string[] {
  if (list === undefined) return []
  const names = new Set<string>()
  for (const item of list.split(',')) {
    const name = item.trim().toLowerCase()
    if (!HEADER_NAME.test(name)) throw new MessageFormatError(POINTER, 'must be names of headers with commas between')
    if (HOP_BY_HOP.has(name)) throw new MessageFormatError(POINTER, `cannot keep ${name}: it describes the connection`)
    if (CREDENTIALS.has(name)) {
      throw new MessageFormatError(POINTER, `cannot keep ${name}: every reader of the stream would see credentials`)
    }
    names.add(name)
    if (names.size > MAX_KEPT_HEADERS) {
      throw new MessageFormatError(POINTER, `must be at most ${MAX_KEPT_HEADERS} names`)
    }
  }
  return [...names]
}
