import type { FastifyInstance } from 'fastify'
import { notValid } from '../access/access-error.ts'
import type { Authenticator } from '../access/authenticators.ts'
import { KEY_FILE } from '../access/keys/key-file.ts'
import { KeyRing } from '../access/keys/key-ring.ts'
import type { Config } from '../config.ts'

/** Callers with API keys. Their file is read again when it changes. */
export function keyAuthenticator (app: FastifyInstance, { apiKeys, rabbitmq }: Config): Authenticator<string> {
  const { file, entries = [], reloadSeconds } = apiKeys
  const ring = new KeyRing(rabbitmq.stream.virtualHost)
  ring.replaceBy(entries)
  app.addHook('onClose', (_app, done) => {
    ring.close()
    done()
  })
  if (file !== undefined) {
    app.reloadFile({
      setting: 'API_KEYS_PATH',
      files: [file],
      everySeconds: reloadSeconds,
      load ([content = '']) {
        const keys = KEY_FILE.parse(content)
        ring.replaceBy(keys)
        app.audit(undefined, { event: 'auth.reloaded', keys: keys.length })
        return { keys: keys.length }
      }
    })
  }
  return (key) => {
    const found = ring.find(key)
    if (typeof found === 'string') throw notValid(`API key ${found}`)
    return found
  }
}
