import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { EntryFileError } from '../access/entries/entry-file.ts'
import { HASH_PREFIX, KEY_FILE, type KeyEntry } from '../access/keys/key-file.ts'
import { hashOfKey, idOfKey, makeKey } from '../access/keys/key.ts'
import { parseScope } from '../access/scopes.ts'
import { addKey, KeyFileError } from './add-key.ts'
import { parseRfc3339 } from '../text/rfc3339.ts'
import type { Terminal } from './terminal.ts'

const USAGE = `Usage:
  keys create --name NAME --scope SCOPE [--scope SCOPE ...]
              [--consumer PATTERN ...] [--publisher PATTERN ...] [--expires TIME or DAYSd] [--file FILE]
      Makes an API key. Standard output has the key in its first line, and then the entry for the file of keys.
      With --file the entry is added to that file, which is made when it does not exist, and not printed.
      A scope is VERB:VIRTUAL-HOST/STREAM, such as 'read:*/orders*'. The verbs: configure, write, read, reset, monitor.
  keys hash
      Reads a key from standard input and prints its hash.
See docs/api-keys.md.
`
const DAY_MS = 24 * 60 * 60 * 1000

// Arguments that are wrong: the message is one line.
class UsageError extends Error {}

/**
 * The command `keys`, which makes API keys. It needs no settings and no broker.
 *
 * @returns the exit code: 2 when the arguments are wrong, 1 when the key or the file is
 */
export async function runKeys (args: readonly string[], streams: Terminal): Promise<number> {
  const [command, ...rest] = args
  try {
    switch (command) {
      case 'create': return create(rest, streams)
      case 'hash': return await hash(rest, streams)
      case '--help':
      case 'help':
        streams.stdout.write(USAGE)
        return 0
      default:
        throw new UsageError(command === undefined ? 'it needs a command' : `there is no command ${command}`)
    }
  } catch (error) {
    if (error instanceof KeyFileError) {
      streams.stderr.write(`keys: ${error.message}\n`)
      return 1
    }
    if (!(error instanceof UsageError)) throw error
    streams.stderr.write(`keys: ${error.message}; "keys help" shows how it is used\n`)
    return 2
  }
}

const CREATE_OPTIONS = {
  name: { type: 'string' },
  scope: { type: 'string', multiple: true },
  consumer: { type: 'string', multiple: true },
  publisher: { type: 'string', multiple: true },
  expires: { type: 'string' },
  file: { type: 'string' }
} as const

function create (args: string[], { stdout, stderr }: Terminal): number {
  const { name, scope = [], consumer, publisher, expires, file } =
    parsed(() => parseArgs({ args, options: CREATE_OPTIONS }).values)
  if (name === undefined) throw new UsageError('--name is missing: who will call with the key')
  if (scope.length === 0) throw new UsageError('--scope is missing: what the key allows')
  const unknown = scope.find((text) => parseScope(text) === undefined)
  if (unknown !== undefined) throw new UsageError(`"${unknown}" is not a scope such as read:*/orders*`)
  const { id, key } = makeKey()
  const entry: KeyEntry = {
    id,
    name,
    hash: HASH_PREFIX + hashOfKey(key),
    scopes: scope,
    ...(consumer && { consumers: consumer }),
    ...(publisher && { publishers: publisher }),
    ...(expires !== undefined && { expires: timeOf(expires) })
  }
  refuseBadEntry(entry)
  if (file !== undefined) {
    addKey(file, entry)
    stdout.write(`${key}\n`)
    stderr.write(`This is the key: give it to its caller, nobody can show it again. ${file} has its entry.\n`)
    return 0
  }
  stdout.write(`${key}\n${JSON.stringify(entry, null, 2)}\n`)
  stderr.write(
    'The first line is the key: give it to its caller, nobody can show it again.\n' +
    'The rest belongs into the list "keys" of the file that API_KEYS_PATH names.\n'
  )
  return 0
}

/** What the gateway would refuse. */
function refuseBadEntry (entry: KeyEntry): void {
  try {
    KEY_FILE.parse(JSON.stringify({ keys: [entry] }))
  } catch (error) {
    throw error instanceof EntryFileError ? new UsageError(error.message.replace(/^\/keys\/0\//, '')) : error
  }
}

function timeOf (expires: string): string {
  const [, days] = /^(\d{1,5})d$/.exec(expires) ?? []
  const ms = days === undefined ? parseRfc3339(expires) : Date.now() + Number(days) * DAY_MS
  if (ms === undefined) throw new UsageError('--expires must be a time like 2027-11-01T00:00:00Z, or days like 90d')
  if (ms <= Date.now()) throw new UsageError('--expires is in the past')
  return days === undefined ? expires : `${new Date(ms).toISOString().slice(0, 19)}Z`
}

async function hash (args: string[], { stdin, stdout, stderr }: Terminal): Promise<number> {
  parsed(() => parseArgs({ args, options: {} }))
  const key = (await text(stdin)).trim()
  if (idOfKey(key) === undefined) {
    stderr.write('keys: standard input is not an API key: its form or its checksum is wrong\n')
    return 1
  }
  stdout.write(`${HASH_PREFIX}${hashOfKey(key)}\n`)
  return 0
}

function parsed<T> (parse: () => T): T {
  try {
    return parse()
  } catch (error) {
    if (!(error instanceof TypeError)) throw error
    // Only the first line says what is wrong.
    throw new UsageError(error.message.split('\n', 1)[0]?.replace(/\. .*$/, ''))
  }
}
