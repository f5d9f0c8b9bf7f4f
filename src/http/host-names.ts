import { isIP } from 'node:net'

const HOST = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/
// Nobody can register these: a web page cannot have such a name.
const PRIVATE_ENDINGS = ['.localhost', '.local', '.internal', '.svc', '.svc.cluster.local']
// A client can make up names below a wildcard.
const MAX_REMEMBERED = 1000

/**
 * Tells whether the gateway goes by a `Host`: an address, a name without a dot, a name that cannot be registered, or
 * one of these patterns.
 *
 * @param patterns names in small letters; `*.example.com` is every name below
 */
export function allowedHosts (patterns: readonly string[]): (host: string) => boolean {
  const names = new Set(patterns.filter((pattern) => !pattern.startsWith('*')))
  const endings = [
    ...PRIVATE_ENDINGS,
    ...patterns.filter((pattern) => pattern.startsWith('*')).map((pattern) => pattern.slice(1))
  ]
  const remembered = new Set<string>()
  return (host) => {
    if (remembered.has(host)) return true
    const [, v6, text = ''] = HOST.exec(host.toLowerCase()) ?? []
    const name = text.endsWith('.') ? text.slice(0, -1) : text
    const isAllowed = v6 === undefined ? isNameAllowed(name, names, endings) : isIP(v6) === 6
    if (isAllowed && remembered.size < MAX_REMEMBERED) remembered.add(host)
    return isAllowed
  }
}

function isNameAllowed (name: string, names: ReadonlySet<string>, endings: readonly string[]): boolean {
  if (name === '') return false
  return !name.includes('.') || isIP(name) === 4 || names.has(name) ||
    endings.some((ending) => name.length > ending.length && name.endsWith(ending))
}

/** Whether an `Origin` is that of the gateway itself, whatever the scheme: a proxy may end TLS. */
export function isOwnOrigin (origin: string, host: string): boolean {
  const start = origin.indexOf('://')
  if (start < 0) return false
  const scheme = origin.slice(0, start)
  const authority = origin.slice(start + 3)
  if (scheme !== 'http' && scheme !== 'https') return false
  const own = host.toLowerCase()
  return authority === own || `${authority}:${scheme === 'https' ? 443 : 80}` === own
}
