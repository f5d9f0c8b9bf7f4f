import { BadValue } from './setting-reader.ts'

/** The content of `RABBITMQ_STREAM_URL`. */
export interface StreamEndpoint {
  hosts: Array<{ host: string, port: number }>
  isTls: boolean
  username: string
  password: string
  virtualHost: string
}

const PLAIN_PORT = 5552
const TLS_PORT = 5551
// `URL` neither accepts several hosts nor distinguishes an empty path from `/`, so the parts are cut out here.
const STREAM_URL = /^rabbitmq-stream(\+tls)?:\/\/(?:([^@/]*)@)?([^@/?#]+)(?:\/([^/?#]*))?$/
const HOST = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/

/**
 * Parses one URL with one or more hosts, or several URLs separated by commas that differ in the host only.
 *
 * @throws BadValue, without any part of the text in it
 */
export function parseStreamUrl (text: string): StreamEndpoint {
  const [first, ...others] = text.split(/,(?=rabbitmq-stream)/).map((part) => parseOne(part.trim()))
  if (first === undefined) throw new BadValue('is empty')
  for (const other of others) {
    const differs = other.isTls !== first.isTls || other.username !== first.username ||
      other.password !== first.password || other.virtualHost !== first.virtualHost
    if (differs) throw new BadValue('has URLs that differ in more than the host')
    first.hosts.push(...other.hosts)
  }
  return first
}

function parseOne (text: string): StreamEndpoint {
  const match = STREAM_URL.exec(text)
  if (match === null && hasUnescaped(text)) throw new BadValue(UNESCAPED)
  if (match === null) {
    throw new BadValue(
      'must be like rabbitmq-stream://user:password@host:5552/vhost (percent-encode special characters)'
    )
  }
  const [, tls, userInfo, hosts = '', path] = match
  const isTls = tls !== undefined
  const separator = userInfo?.indexOf(':') ?? -1
  if (userInfo !== undefined && separator < 0) throw new BadValue('has a user without a password')
  return {
    hosts: hosts.split(',').map((host) => parseHost(host.trim(), isTls ? TLS_PORT : PLAIN_PORT)),
    isTls,
    username: userInfo === undefined ? 'guest' : decode(userInfo.slice(0, separator)),
    password: userInfo === undefined ? 'guest' : decode(userInfo.slice(separator + 1)),
    // As in AMQP URIs, the virtual host `/` is written %2F; a URL without a path means the broker's default.
    virtualHost: path === undefined || path === '' ? '/' : decode(path)
  }
}

const UNESCAPED = 'has a special character in its user, password or virtual host: percent-encode it there ' +
  '(@ is %40, / is %2F, : is %3A, ? is %3F, # is %23, % is %25)'

// `u:p@ss/word@host` reads as the user `u` at the host `ss`. Only an @ after that host, or the character that ends the
// host too early, shows it.
function hasUnescaped (text: string): boolean {
  const rest = text.replace(/^[a-z+-]+:\/\//, '')
  return /^[^@]*@.*@/.test(rest) || /^[^@]*[/?#][^@]*@/.test(rest)
}

function parseHost (text: string, defaultPort: number): { host: string, port: number } {
  const match = HOST.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = match?.[3] === undefined ? defaultPort : Number(match[3])
  if (host === undefined || port < 1 || port > 65_535) throw new BadValue('has an invalid host or port')
  return { host, port }
}

function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new BadValue('has a % that does not start a percent-encoded character')
  }
}

/** The content of `RABBITMQ_MANAGEMENT_URL`; `url` has no credentials. */
export interface ManagementEndpoint { url: string, username: string, password: string }

/** @throws BadValue, without any part of the text in it */
export function parseManagementUrl (text: string): ManagementEndpoint {
  if (!URL.canParse(text)) {
    throw new BadValue(hasUnescaped(text) ? UNESCAPED : 'must be like http://user:password@host:15672')
  }
  const url = new URL(text)
  // An @ in the user or password alone is understood.
  if ([url.pathname, url.search, url.hash].some((part) => part.includes('@'))) throw new BadValue(UNESCAPED)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new BadValue('must be an http or https URL')
  if (url.search !== '' || url.hash !== '') throw new BadValue('must have neither a query nor a fragment')
  const username = url.username === '' ? 'guest' : decode(url.username)
  const password = url.username === '' ? 'guest' : decode(url.password)
  url.username = ''
  url.password = ''
  return { url: url.href.replace(/\/+$/, ''), username, password }
}
