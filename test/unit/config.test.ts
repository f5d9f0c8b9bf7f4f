import t from 'tap'
import { describeSettings, loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/settings/setting-reader.ts'
import { exactly } from '../support/exactly.ts'

const noFiles: (path: string) => string = () => { throw new Error('there are no files') }
const load = (env: Record<string, string>, readFile = noFiles) => loadConfig(env, readFile).config

function refusal (env: Record<string, string>, readFile = noFiles): string {
  try {
    loadConfig(env, readFile)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('the configuration was taken')
}

t.test('without any variable the defaults hold', async (t) => {
  const { config, warnings } = loadConfig({}, noFiles)
  t.match(config, {
    rabbitmq: {
      stream: {
        hosts: exactly({ host: 'localhost', port: 5552 }),
        isTls: false,
        username: 'guest',
        password: 'guest',
        virtualHost: '/'
      },
      management: undefined,
      streamNamePattern: '{name}',
      addressMode: 'advertised'
    },
    http: { host: '127.0.0.1', port: 8080 },
    read: { maxMessages: 10_000, maxWaitSeconds: 60 },
    logLevel: 'info'
  })
  t.same(warnings, [])
})

t.test('the configuration cannot be changed', async (t) => {
  const config = load({})
  t.throws(() => Object.assign(config, { logLevel: 'debug' }), TypeError)
  t.throws(() => Object.assign(config.http, { port: 1 }), TypeError)
  t.throws(() => config.rabbitmq.stream.hosts.push({ host: 'x', port: 1 }), TypeError)
})

t.test('a stream URL names hosts, credentials, virtual host and TLS', async (t) => {
  const urls: Array<[string, object]> = [
    [
      'rabbitmq-stream://host',
      { hosts: [{ host: 'host', port: 5552 }], isTls: false, username: 'guest', password: 'guest', virtualHost: '/' }
    ],
    ['rabbitmq-stream+tls://host', { hosts: [{ host: 'host', port: 5551 }], isTls: true }],
    [
      'rabbitmq-stream://u:p@h1:1,h2:2/vh',
      {
        hosts: [
          { host: 'h1', port: 1 },
          { host: 'h2', port: 2 }
        ],
        username: 'u',
        password: 'p',
        virtualHost: 'vh'
      }
    ],
    [
      'rabbitmq-stream://u:p@h1:1/vh,rabbitmq-stream://u:p@h2:2/vh',
      {
        hosts: [
          { host: 'h1', port: 1 },
          { host: 'h2', port: 2 }
        ],
        virtualHost: 'vh'
      }
    ],
    ['rabbitmq-stream://us%40er:p%3A%2Fw@host/%2Fv%20h', { username: 'us@er', password: 'p:/w', virtualHost: '/v h' }],
    ['rabbitmq-stream://u:p:q@host/', { username: 'u', password: 'p:q', virtualHost: '/' }],
    ['rabbitmq-stream://host/%2F', { virtualHost: '/' }],
    ['rabbitmq-stream://[::1]:7/x', { hosts: [{ host: '::1', port: 7 }] }]
  ]
  for (const [url, expected] of urls) t.match(load({ RABBITMQ_STREAM_URL: url }).rabbitmq.stream, expected, url)
})

t.test('a malformed stream URL is refused', async (t) => {
  const urls = [
    'host:5552', 'amqp://host', 'rabbitmq-stream://', 'rabbitmq-stream://host:0', 'rabbitmq-stream://host:65536',
    'rabbitmq-stream://host:x', 'rabbitmq-stream://user@host', 'rabbitmq-stream://u:%zz@host',
    'rabbitmq-stream://host/a/b', 'rabbitmq-stream://host?x=1', 'rabbitmq-stream://h1,,h2',
    'rabbitmq-stream://u:p@h1/a,rabbitmq-stream://u:other@h2/a', 'rabbitmq-stream://h1,rabbitmq-stream+tls://h2'
  ]
  for (const url of urls) t.match(refusal({ RABBITMQ_STREAM_URL: url }), /RABBITMQ_STREAM_URL/, url)
})

t.test('a character that is not percent-encoded is named, and no part of the URL is shown', async (t) => {
  const setting = (name: string, url: string) => {
    const message = refusal({ [name]: url })
    t.match(message, new RegExp(`${name} has a special character .*percent-encode`), url)
    t.notMatch(message, /ss.word|s3cret/)
  }
  for (const userInfo of ['u:p@ss/word', 'u:p@ss', 'u:s3cret/word']) {
    setting('RABBITMQ_STREAM_URL', `rabbitmq-stream://${userInfo}@host:5552/vh`)
  }
  for (const userInfo of ['u:p@ss/word', 'u:s3cret/word', 'u:s3cret?x', 'u:s3cret#x']) {
    setting('RABBITMQ_MANAGEMENT_URL', `http://${userInfo}@host:15672`)
  }
})

t.test('a management URL loses its credentials, which are kept apart', async (t) => {
  t.same(load({ RABBITMQ_MANAGEMENT_URL: 'https://us%40er:p%2Fw@host:15671/prefix/' }).rabbitmq.management, {
    url: 'https://host:15671/prefix',
    username: 'us@er',
    password: 'p/w'
  })
  for (const url of ['ftp://host', 'host', 'http://host/?a=1', 'http://u:%zz@host']) {
    t.match(refusal({ RABBITMQ_MANAGEMENT_URL: url }), /RABBITMQ_MANAGEMENT_URL/, url)
  }
})

t.test('one message names every bad variable and shows no value', async (t) => {
  const message = refusal({
    RABBITMQ_STREAM_URL: 'rabbitmq-stream://user:s3cret@',
    RABBITMQ_MANAGEMENT_URL: 'http//user:s3cret@host',
    HTTP_PORT: 's3cret',
    LOG_LEVEL: 's3cret',
    STREAM_NAME_PATTERN: 's3cret',
    READ_MAX_MESSAGES: '10001'
  })
  for (const name of [
    'RABBITMQ_STREAM_URL', 'RABBITMQ_MANAGEMENT_URL', 'HTTP_PORT', 'LOG_LEVEL', 'STREAM_NAME_PATTERN',
    'READ_MAX_MESSAGES'
  ]) t.match(message, name)
  t.notMatch(message, /s3cret|10001/)
})

t.test('a number is a plain decimal integer within its bounds', async (t) => {
  t.equal(load({ HTTP_PORT: '0' }).http.port, 0)
  t.equal(load({ HTTP_PORT: '65535' }).http.port, 65_535)
  for (const text of ['65536', '-1', '1e3', '0x10', ' 80', '80.0', '８０']) {
    t.match(refusal({ HTTP_PORT: text }), /HTTP_PORT must be an integer, 0 to 65535/, text)
  }
})

t.test('an empty variable counts as not set', async (t) => {
  const config = load({ HTTP_PORT: '', RABBITMQ_STREAM_URL: '', RABBITMQ_MANAGEMENT_URL: '', RABBITMQ_TLS_CA_PATH: '' })
  t.equal(config.http.port, 8080)
  t.equal(config.rabbitmq.management, undefined)
  t.equal(config.rabbitmq.tlsCa, undefined)
})

t.test('a secret may come from a file', async (t) => {
  const files: Record<string, string> = { '/run/url': 'rabbitmq-stream://u:p@host/vh\n', '/run/bad': 's3cret' }
  const readFile = (path: string): string => files[path] ?? noFiles(path)
  t.match(load({ RABBITMQ_STREAM_URL_FILE: '/run/url' }, readFile).rabbitmq.stream, {
    username: 'u',
    virtualHost: 'vh'
  })
  t.match(
    refusal({ RABBITMQ_STREAM_URL_FILE: '/nowhere/s3cret' }, readFile),
    /^(?!.*s3cret).*RABBITMQ_STREAM_URL_FILE names a file that cannot be read/
  )
  t.match(refusal({ RABBITMQ_STREAM_URL_FILE: '/run/bad' }, readFile), /^(?!.*s3cret).*RABBITMQ_STREAM_URL/)
  t.match(
    refusal({ RABBITMQ_STREAM_URL_FILE: '/run/url', RABBITMQ_STREAM_URL: 'rabbitmq-stream://host' }, readFile),
    /both set/
  )
})

t.test('certificates are read from their files', async (t) => {
  const readFile = (path: string): string => `content of ${path}`
  const env = {
    RABBITMQ_STREAM_URL: 'rabbitmq-stream+tls://host',
    RABBITMQ_TLS_CA_PATH: '/ca',
    RABBITMQ_TLS_CERT_PATH: '/cert',
    RABBITMQ_TLS_KEY_PATH: '/key',
    RABBITMQ_AUTH_MECHANISM: 'EXTERNAL'
  }
  t.match(load(env, readFile).rabbitmq, {
    tlsCa: 'content of /ca',
    tlsCert: 'content of /cert',
    tlsKey: 'content of /key',
    authMechanism: 'EXTERNAL'
  })
  t.match(refusal({ RABBITMQ_TLS_CA_PATH: '/ca' }), /RABBITMQ_TLS_CA_PATH names a file that cannot be read/)
})

t.test('settings that contradict each other are refused', async (t) => {
  t.match(
    refusal({ HTTP_CONNECTION_TIMEOUT_MS: '60000' }),
    /HTTP_CONNECTION_TIMEOUT_MS must be longer than READ_MAX_WAIT_SECONDS/
  )
  t.match(
    refusal({ PUBLISH_CONFIRM_TIMEOUT_MS: '60000' }),
    /HTTP_CONNECTION_TIMEOUT_MS must be longer than twice PUBLISH_CONFIRM_TIMEOUT_MS and a second/
  )
  t.match(refusal({ DRAIN_DELAY_MS: '5000', DRAIN_TIMEOUT_MS: '5000' }), /DRAIN_TIMEOUT_MS/)
  t.match(
    refusal({ HTTP_HEADERS_TIMEOUT_MS: '5000', HTTP_REQUEST_TIMEOUT_MS: '4000' }),
    /HTTP_REQUEST_TIMEOUT_MS must not be shorter than HTTP_HEADERS_TIMEOUT_MS/
  )
  t.match(refusal({ RABBITMQ_AUTH_MECHANISM: 'EXTERNAL' }), /EXTERNAL needs/)
  t.match(refusal({ RABBITMQ_TLS_CERT_PATH: '/cert' }, () => 'pem'), /go together/)
})

t.test('every page of the web may be let in only where callers show who they are', async (t) => {
  t.match(refusal({ CORS_ORIGINS: '*' }), /CORS_ORIGINS must not be \*/)
  t.match(refusal({ CORS_ORIGINS: '*', AUTH: 'none' }), /CORS_ORIGINS must not be \*/)
  t.same(load({ CORS_ORIGINS: '*', AUTH: 'rabbitmq' }).http.corsOrigins, ['*'])
})

t.test('every setting with a secret may come from a file', async (t) => {
  const secrets = describeSettings()
    .filter(({ name }) => /_URL$|^API_KEYS$|SECRET|PASSWORD|TOKEN|_KEY$/.test(name))
    .filter(({ name }) => name !== 'JWT_JWKS_URL' && name !== 'PUSH_PLAINTEXT_SECRETS')
  t.same(secrets.map(({ name }) => name), [
    'RABBITMQ_STREAM_URL', 'RABBITMQ_MANAGEMENT_URL', 'API_KEYS', 'PUSH_ENCRYPTION_KEY'
  ])
  for (const { name } of secrets) t.match(refusal({ [`${name}_FILE`]: '/nowhere' }), `${name}_FILE names a file`)
})

const isCount =
  /_PORT$|_(PUBLISHERS|READERS|MESSAGES|VALUES|CONNECTIONS?|REQUESTS|CALLERS|PENDING|PARTITIONS|SERIES|PER_SECOND)$/

t.test('every setting says its unit, its default and its meaning', async (t) => {
  const settings = describeSettings()
  t.equal(new Set(settings.map(({ name }) => name)).size, settings.length)
  for (const { name, description, accepts } of settings) {
    t.ok(description.length > 10 && accepts !== '', name)
    if (accepts.startsWith('integer') && !isCount.test(name)) {
      t.match(name, /_(MS|SECONDS|BYTES)$/, name)
    }
  }
})
