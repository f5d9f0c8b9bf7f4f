import t from 'tap'
import { loadConfig } from '../../src/config.ts'

const warningsOf = (env: Record<string, string>): string[] =>
  loadConfig(env, () => { throw new Error('there are no files') }).warnings

t.test('a variable that looks like a setting and is none is warned of, with the name that was meant', async (t) => {
  const meant = {
    HTTP_PROT: 'HTTP_PORT',
    HTPP_PORT: 'HTTP_PORT',
    http_port: 'HTTP_PORT',
    READ_MAX_MESAGES: 'READ_MAX_MESSAGES',
    RABBITMQ_ADRESS_MODE: 'RABBITMQ_ADDRESS_MODE',
    RABITMQ_STREAM_URL: 'RABBITMQ_STREAM_URL',
    RABBITMQ_STREAMURL: 'RABBITMQ_STREAM_URL',
    RABBITMQ_STREAM_URI: 'RABBITMQ_STREAM_URL',
    RABBITMQ_STREAM_URL_FIEL: 'RABBITMQ_STREAM_URL_FILE',
    RABBITMQ_MANAGMENT_URL: 'RABBITMQ_MANAGEMENT_URL',
    DRAIN_TIMEOUT: 'DRAIN_TIMEOUT_MS',
    DRAIN_TIMEOUT_SECONDS: 'DRAIN_TIMEOUT_MS',
    LOGLEVEL: 'LOG_LEVEL'
  }
  for (const [name, setting] of Object.entries(meant)) {
    t.same(warningsOf({ [name]: 's3cret' }), [
      `${name} is not a setting; did you mean ${setting}? See docs/configuration.md`
    ])
  }
  for (const name of ['HTTP_FROBNICATE', 'RABBITMQ_FROBNICATE', 'PUBLISH_FROBNICATE', 'READ_FROBNICATE']) {
    t.same(warningsOf({ [name]: 's3cret' }), [`${name} is not a setting; see docs/configuration.md`])
  }
})

t.test('variables of the system, of the broker and of container runtimes are not warned of', async (t) => {
  t.same(warningsOf({
    PATH: 'x',
    HOME: 'x',
    HOSTNAME: 'x',
    NODE_OPTIONS: 'x',
    NODE_ENV: 'x',
    HTTP_PROXY: 'x',
    http_proxy: 'x',
    https_proxy: 'x',
    npm_lifecycle_event: 'x',
    RABBITMQ_NODENAME: 'x',
    RABBITMQ_DEFAULT_USER: 'x',
    RABBITMQ_DEFAULT_PASS_FILE: 'x',
    RABBITMQ_ERLANG_COOKIE: 'x',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: 'x',
    RABBITMQ_VM_MEMORY_HIGH_WATERMARK: 'x',
    RABBITMQ_STREAM_SERVICE_HOST: 'x',
    RABBITMQ_STREAM_PORT_5552_TCP: 'x',
    RABBITMQ_STREAM_PORT: 'tcp://10.0.0.1:5552',
    HTTP_PROT: ''
  }), [])
})

t.test('PORT is said not to be read, unless HTTP_PORT is set', async (t) => {
  t.same(warningsOf({ PORT: '8081' }), ['PORT is not a setting and is not read; the port to listen on is HTTP_PORT'])
  t.same(warningsOf({ PORT: '8081', HTTP_PORT: '8081' }), [])
  t.same(warningsOf({ PORT: '' }), [])
})
