import { BadValue, type SettingReader } from './setting-reader.ts'

const WAYS = ['api-keys', 'jwt', 'mtls', 'rabbitmq'] as const

/** A way in which callers show who they are. */
export type Way = typeof WAYS[number]

/** Settings of who may use the gateway. */
export function readAccess (read: SettingReader) {
  return {
    /** The ways that are open; an empty list: everybody may do everything. Undefined: the setting is not set. */
    ways: read.parsed<readonly Way[] | undefined>(
      'AUTH',
      parseWays,
      undefined,
      `\`none\`, or some of ${WAYS.map((way) => `\`${way}\``).join(', ')}, separated by commas`,
      'How callers show who they are. Without it there is no authentication, and the gateway starts on a loopback ' +
      'address only. See [security](security.md)'
    ),
    docs: read.choice(
      'DOCS_ACCESS',
      ['open', 'auth', 'off'],
      'open',
      'Who may see `/docs` and `/openapi.json`: everybody, callers with a credential, or nobody'
    )
  }
}

/** The content of `AUTH`. @throws BadValue */
function parseWays (text: string): readonly Way[] {
  const names = text.split(',').map((name) => name.trim())
  if (names.length === 1 && names[0] === 'none') return []
  return [...new Set(names)].map((name) => {
    const way = WAYS.find((way) => way === name)
    if (way === undefined) throw new BadValue(`must be none, or some of ${WAYS.join(', ')}, separated by commas`)
    return way
  })
}
