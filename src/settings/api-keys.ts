import { EntryFileError } from '../access/entries/entry-file.ts'
import { KEY_FILE, type KeyEntry } from '../access/keys/key-file.ts'
import type { Way } from './access.ts'
import { BadValue, type SettingReader } from './setting-reader.ts'

/** The API keys of callers, and how soon a change of their file is noticed. */
export function readApiKeys (read: SettingReader) {
  const file = read.reloadedFile(
    'API_KEYS_PATH',
    parseKeys,
    'JSON file with the API keys of callers, see docs/api-keys.md. It is read again when it changes, and on SIGHUP'
  )
  const inline = read.optionalSecret(
    'API_KEYS',
    parseKeys,
    'The API keys themselves, in place of `API_KEYS_PATH`. They are read once, at the start',
    'the JSON of such a file'
  )
  if (file !== undefined && inline !== undefined) read.reject('API_KEYS', 'and API_KEYS_PATH are both set; set one')
  return {
    file,
    entries: file?.value ?? inline,
    reloadSeconds: read.integer(
      'AUTH_RELOAD_SECONDS',
      { default: 5, min: 1, max: 3600 },
      'How often files that say who may call are looked at for changes. A key that is removed is refused after this ' +
      'time at the latest'
    )
  }
}

/** Refuses keys without `AUTH=api-keys`, which would not be asked for, and that setting without keys. */
export function refuseKeysWithoutUse (read: SettingReader, ways: readonly Way[] = []): void {
  const given = ['API_KEYS_PATH', 'API_KEYS', 'API_KEYS_FILE'].find((name) => read.isSet(name))
  const areAskedFor = ways.includes('api-keys')
  if (areAskedFor && given === undefined) read.reject('AUTH', 'lists api-keys, which needs API_KEYS_PATH or API_KEYS')
  if (!areAskedFor && given !== undefined) read.reject(given, 'is set, but AUTH does not list api-keys: add it to AUTH')
}

function parseKeys (text: string): readonly KeyEntry[] {
  try {
    return KEY_FILE.parse(text)
  } catch (error) {
    throw error instanceof EntryFileError ? new BadValue(error.message) : error
  }
}
