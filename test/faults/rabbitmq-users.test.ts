import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { acceptTokens } from '../support/rabbitmq-tokens.ts'
import { until } from '../support/until.ts'

t.setTimeout(240_000)

const CACHE_SECONDS = 2
const RECHECK_SECONDS = 1
/** How long RabbitMQ takes to refuse a login. */
const REFUSAL_MS = 3000
const SLACK_MS = 1500

const { node } = await startPrivateBroker(t)
const tokenFor = await acceptTokens(node)
const gateway = await startGateway(t, {
  RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@127.0.0.1:${node.streamPort}/%2f`,
  RABBITMQ_MANAGEMENT_URL: node.managementUrl,
  AUTH: 'rabbitmq',
  AUTH_CACHE_SECONDS: String(CACHE_SECONDS),
  AUTH_RECHECK_SECONDS: String(RECHECK_SECONDS)
})

type Headers = Record<string, string>

function basic (user: string, password: string): Headers {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

async function newUser (name: string): Promise<Headers> {
  await node.ctl('add_user', name, `${name} password`)
  await node.ctl('set_permissions', name, '.*', '.*', '.*')
  return basic(name, `${name} password`)
}

async function newStream (name: string, headers: Headers): Promise<string> {
  const { status, text } = await gateway.request('PUT', `/v1/streams/${name}`, { headers })
  if (status !== 201) throw new Error(text)
  return name
}

async function publish (stream: string, headers: Headers): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { headers, body: 'line' })
}

/** Everything that a caller does at once, until it is told to stop. */
class Load {
  #isOver = false
  #lastSuccessMs = 0
  readonly statuses = new Map<string, number>()
  readonly poll: Promise<Answer>
  readonly streamed: Promise<Answer>
  readonly #loops: Array<Promise<void>>
  endedMs = 0

  constructor (stream: string, quiet: string, headers: Headers) {
    this.poll = gateway.get(`/v1/streams/${quiet}/messages?offset=next&wait=50`, headers)
    this.streamed = gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { headers, body: this.#lines() })
    void Promise.all([this.poll, this.streamed]).then(() => { this.endedMs = performance.now() })
    this.#loops = [
      this.#loop('publish', async () => await publish(stream, headers)),
      this.#loop('read', async () => await gateway.get(`/v1/streams/${stream}/messages/lines`, headers)),
      this.#loop('describe', async () => await gateway.get(`/v1/streams/${stream}`, headers))
    ]
  }

  /** When something was last answered with success. */
  get lastSuccessMs (): number {
    return this.#lastSuccessMs
  }

  async stop (): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  async * #lines (): AsyncGenerator<Buffer> {
    while (!this.#isOver) {
      yield Buffer.from('streamed\n')
      await delay(50)
    }
  }

  async #loop (what: string, ask: () => Promise<Answer>): Promise<void> {
    while (!this.#isOver) {
      const { status } = await ask()
      this.statuses.set(what, status)
      if (status === 200) this.#lastSuccessMs = performance.now()
      await delay(20)
    }
  }
}

interface Case {
  readonly what: string
  readonly withinMs: number
  readonly status: 401 | 403
  readonly headers: () => Promise<Headers>
  readonly revoke: () => Promise<unknown>
}

// A token takes no new work in its last ten seconds.
const TOKEN_SECONDS = 14
let tokenExpiryMs = 0

const cases: readonly Case[] = [
  {
    what: 'a changed password',
    withinMs: CACHE_SECONDS * 1000,
    status: 401,
    headers: async () => await newUser('changed'),
    revoke: async () => await node.ctl('change_password', 'changed', 'another password')
  },
  {
    what: 'a permission that was removed',
    withinMs: RECHECK_SECONDS * 1000,
    status: 403,
    headers: async () => await newUser('narrowed'),
    revoke: async () => await node.ctl('set_permissions', 'narrowed', '^$', '^$', '^$')
  },
  {
    what: 'a virtual host that was closed to the user',
    withinMs: CACHE_SECONDS * 1000,
    status: 403,
    headers: async () => await newUser('shut'),
    revoke: async () => await node.ctl('clear_permissions', 'shut')
  },
  {
    what: 'a user that was deleted',
    withinMs: 2000,
    status: 401,
    headers: async () => await newUser('deleted'),
    revoke: async () => await node.ctl('delete_user', 'deleted')
  },
  {
    what: 'a token that has expired',
    withinMs: 0,
    status: 401,
    headers: async () => {
      const scopes = ['rabbitmq.read:*/*', 'rabbitmq.write:*/*', 'rabbitmq.configure:*/*']
      const token = tokenFor({ scopes, seconds: TOKEN_SECONDS })
      tokenExpiryMs = Math.floor(Date.now() / 1000 + TOKEN_SECONDS) * 1000
      return { authorization: `Bearer ${token}` }
    },
    revoke: async () => { await delay(tokenExpiryMs - Date.now()) }
  }
]

for (const { what, withinMs, status, headers: login, revoke } of cases) {
  t.test(`${what} ends what is under way, and nothing more is served`, async (t) => {
    const headers = await login()
    const name = `s${cases.findIndex((one) => one.what === what)}`
    const [stream, quiet] = [await newStream(name, headers), await newStream(`${name}-quiet`, headers)]
    const load = new Load(stream, quiet, headers)
    await until('the load has begun', () => load.statuses.size === 3)
    await delay(500)
    if (!what.includes('token')) t.same([...new Set(load.statuses.values())], [200])
    await revoke()
    const revokedMs = performance.now()
    await until('what was under way has ended', () => load.endedMs > 0, 30_000)
    await delay(1000)
    await load.stop()
    t.ok(load.lastSuccessMs < revokedMs + withinMs + SLACK_MS,
      `the last success came ${Math.round(load.lastSuccessMs - revokedMs)} ms later`)
    t.ok(load.endedMs < revokedMs + withinMs + REFUSAL_MS + SLACK_MS,
      `the end came ${Math.round(load.endedMs - revokedMs)} ms later`)
    t.equal((await load.poll).status, status, 'the waiting read')
    t.match((await load.streamed).json, { status, sideEffects: 'possible' }, 'the streamed publish')
    t.same([...new Set(load.statuses.values())], [status])
  })
}

t.test('the bearer of a token has the name in it, whatever name stands beside it', async (t) => {
  await newUser('victim')
  const token = tokenFor({ scopes: ['rabbitmq.read:*/*'], seconds: 60, subject: 'bearer' })
  for (const headers of [basic('victim', token), basic('', token), { authorization: `Bearer ${token}` }]) {
    const { status, json } = await gateway.get('/v1/whoami', headers)
    t.equal(status, 200)
    t.match(json, { caller: 'bearer', scheme: 'rabbitmq' })
  }
})

t.test('a broker that is down is no fault of the credential, and callers are back with it', async (t) => {
  const [known, unknown] = [await newUser('known'), await newUser('unknown')]
  const stream = await newStream('outage', known)
  await node.kill('SIGKILL')
  const answer = await gateway.get(`/v1/streams/${stream}/messages`, unknown)
  t.match(answer.json, { status: 503, code: 'broker_unavailable', retryable: true, sideEffects: 'none' })
  await delay(CACHE_SECONDS * 1000)
  t.match((await gateway.get(`/v1/streams/${stream}/messages`, known)).json, { code: 'broker_unavailable' })
  await node.start()
  for (const headers of [known, unknown]) {
    await until('it is served again', async () => (await gateway.get(`/v1/streams/${stream}`, headers)).status === 200)
  }
})
