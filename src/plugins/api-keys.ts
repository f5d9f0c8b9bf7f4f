import type { FastifyInstance } from 'fastify'
import { notValid } from '../access/access-error.ts'
import type { Authenticator } from '../access/authenticators.ts'
import { KEY_FILE } from '../access/keys/key-file.ts'
import { KeyRing } from '../access/keys/key-ring.ts'
import type { Config } from '../config.ts'
import { followCallerFile } from './caller-file.ts'

/** Callers with API keys. Their file is read again when it changes. */
export function keyAuthenticator (app: FastifyInstance, { apiKeys, rabbitmq }: Config): Authenticator<string> {
  const { file, entries = [], reloadSeconds } = apiKeys
  const ring = new KeyRing(rabbitmq.stream.virtualHost)
  ring.replaceBy(entries)
  followCallerFile(app, {
    setting: 'API_KEYS_PATH',
    file,
    everySeconds: reloadSeconds,
    parse: (text) => KEY_FILE.parse(text),
    callers: ring,
    event: (keys) => ({ event: 'keys.reloaded', keys })
  })
  return (key) => {
    const found = ring.find(key)
    if (typeof found === 'string') throw notValid(`API key ${found}`)
    return found
  }
}
