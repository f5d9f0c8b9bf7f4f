import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { ConfigError, type ReadFile } from '../../src/settings/setting-reader.ts'
import { newKey } from '../support/keyed-gateway.ts'

const { entry } = newKey()
const CONTENT = JSON.stringify({ keys: [entry] })

const FILES: Readonly<Record<string, string>> = { '/keys.json': CONTENT, '/secret': `${CONTENT}\n`, '/empty': '' }

const readFile: ReadFile = (path) => {
  const content = FILES[path]
  if (content === undefined) throw new Error('there is no such file')
  return content
}

const load = (env: Record<string, string>) => loadConfig({ AUTH: 'api-keys', ...env }, readFile).config.apiKeys

function refusal (env: Record<string, string>): string {
  try {
    load(env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('the configuration was taken')
}

t.test('keys come from a file that is read again, from the environment, or from a secret', async (t) => {
  t.same(load({ API_KEYS_PATH: '/keys.json' }), {
    file: { path: '/keys.json', content: CONTENT, value: [entry] }, entries: [entry], reloadSeconds: 5
  })
  for (const [name, value] of [['API_KEYS', CONTENT], ['API_KEYS_FILE', '/secret']] as const) {
    t.same(load({ [name]: value, AUTH_RELOAD_SECONDS: '60' }), { file: undefined, entries: [entry], reloadSeconds: 60 })
  }
})

t.test('bad keys are one line that says where, and shows nothing of them', async (t) => {
  const bad = JSON.stringify({ keys: [{ ...entry, scopes: ['x'] }] })
  const fault = 'API_KEYS /keys/0/scopes/0 is not a scope such as read:*/orders*'
  t.equal(refusal({ API_KEYS: bad }), `Bad configuration: ${fault}`)
  t.match(refusal({ API_KEYS: '{' }), /API_KEYS is not valid JSON at line 1, column 2$/)
  t.match(refusal({ API_KEYS_PATH: '/empty' }), /API_KEYS_PATH is not valid JSON/)
  t.match(refusal({ API_KEYS_PATH: '/nowhere' }), /API_KEYS_PATH names a file that cannot be read$/)
  t.match(refusal({ API_KEYS_PATH: '/keys.json', API_KEYS: CONTENT }), /API_KEYS and API_KEYS_PATH are both set/)
})

t.test('keys without AUTH=api-keys, and AUTH=api-keys without keys, are refused', async (t) => {
  const unused = /API_KEYS_PATH is set, but AUTH does not list api-keys: add it to AUTH$/
  t.match(refusal({}), /AUTH lists api-keys, which needs API_KEYS_PATH or API_KEYS$/)
  t.match(refusal({ AUTH: '', API_KEYS_PATH: '/keys.json' }), unused)
  t.match(refusal({ AUTH: 'none', API_KEYS_PATH: '/keys.json' }), unused)
  t.match(refusal({ AUTH: 'rabbitmq', API_KEYS_PATH: '/keys.json' }), unused)
  t.notMatch(refusal({ API_KEYS_PATH: '/empty' }), /AUTH/, 'keys that are bad are not called missing')
})
