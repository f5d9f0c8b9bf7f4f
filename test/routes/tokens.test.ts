import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { IdentityProvider } from '../support/identity-provider.ts'
import {
  AUDIENCE, inSeconds, newSigningKey, signedToken, type SigningKey, type TokenContent
} from '../support/tokens.ts'
import { until } from '../support/until.ts'

const key = await newSigningKey('key-1')
const ALL = ['configure', 'write', 'read', 'reset'].map((verb) => `rabbitmq.${verb}:*/*`).join(' ')

interface World {
  readonly provider: IdentityProvider
  readonly gateway: Gateway
  /** The header with a token of the provider. */
  readonly bearer: (content?: TokenContent, by?: SigningKey) => Promise<{ authorization: string }>
}

async function newWorld (
  t: Test, env: Record<string, string> = {}, prepare: (provider: IdentityProvider) => void = () => {}
): Promise<World> {
  const provider = await IdentityProvider.start(t, [key.jwk])
  prepare(provider)
  const gateway = await startGateway(t, {
    AUTH: 'jwt', JWT_ISSUER: provider.issuer, JWT_AUDIENCE: AUDIENCE, JWT_CLOCK_TOLERANCE_SECONDS: '0', ...env
  })
  const bearer: World['bearer'] = async ({ claims, header = {} } = {}, by = key) => ({
    authorization: `Bearer ${await signedToken(by, { claims: { iss: provider.issuer, ...claims }, header })}`
  })
  return { provider, gateway, bearer }
}

async function newStream (t: Test, { gateway, bearer }: World): Promise<string> {
  const stream = `test-${randomUUID()}`
  const headers = await bearer({ claims: { scope: ALL } })
  t.equal((await gateway.request('PUT', `/v1/streams/${stream}`, { headers })).status, 201)
  t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${stream}`, { headers }).catch(() => {}) })
  return stream
}

const lines = ({ gateway: { log } }: World, message: RegExp): Array<Record<string, unknown>> =>
  log.filter(({ msg }) => message.test(String(msg)))

t.test('a token lets its caller do what its scopes say, and no more', async (t) => {
  const world = await newWorld(t)
  const { gateway, bearer } = world
  const stream = await newStream(t, world)
  const reader = await bearer({ claims: { scope: `openid rabbitmq.read:%2F/${stream}` } })
  t.match((await gateway.get('/v1/whoami', reader)).json, {
    caller: 'billing', scheme: 'jwt', scopes: exactly(`read:%2F/${stream}`)
  })
  t.equal((await gateway.get(`/v1/streams/${stream}/messages`, reader)).status, 200)
  t.match((await gateway.get(`/v1/streams/${stream}x/messages`, reader)).json, { code: 'access_refused' })
  const publish = await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { headers: reader, body: 'a' })
  t.match(publish, { status: 403, json: { code: 'access_refused' } })
  t.match(String(publish.headers['www-authenticate']), /error="insufficient_scope"/)
  t.equal((await gateway.get('/metrics', reader)).status, 403)

  const operator = await bearer({ claims: { scope: 'rabbitmq.tag:monitoring' } })
  t.match((await gateway.get('/metrics', operator)).text, /^rabbitmq_stream_gateway_jwt_keys_age_seconds \d/m)
  t.match(lines(world, /^request$/).at(-1), { caller: 'billing', scheme: 'jwt' })
})

t.test('whatever is wrong with a token, its caller reads one text, and the log never has the token', async (t) => {
  const world = await newWorld(t)
  const { gateway, bearer, provider } = world
  const stranger = await newSigningKey('key-1')
  const good = await bearer()
  const [header, claims] = good.authorization.split('.')
  const bad = [
    await bearer({}, stranger), await bearer({ header: { kid: 'unknown' } }),
    await bearer({ claims: { iss: `${provider.issuer}/` } }), await bearer({ claims: { aud: 'another' } }),
    await bearer({ claims: { exp: inSeconds(-1) } }), await bearer({ claims: { nbf: inSeconds(60) } }),
    await bearer({ claims: { exp: undefined } }), await bearer({ claims: { padding: 'x'.repeat(9 * 1024) } }),
    { authorization: `${header}.${claims}.` }, { authorization: 'Bearer ..' }, { authorization: 'Bearer abc' }
  ]
  const texts = new Set<unknown>()
  for (const headers of bad) {
    for (let times = 0; times < 2; times++) {
      const answer = await gateway.get('/v1/streams', headers)
      t.equal(answer.status, 401)
      t.match([answer.headers['www-authenticate']].flat().join(), /^Bearer realm="[^"]+", error="invalid_token"/)
      texts.add(Object(answer.json).detail)
    }
  }
  t.equal((await gateway.get('/v1/whoami', good)).status, 200)
  t.same([...texts], ['the credential is not valid'])
  const log = JSON.stringify(gateway.log)
  for (const { authorization } of [good, ...bad]) {
    for (const part of authorization.slice(7).split('.')) {
      if (part.length > 10) t.notOk(log.includes(part), 'no part of a token')
    }
  }
})

t.test('nobody is asked for a key that a token brings or names by an address', async (t) => {
  const { gateway, bearer, provider } = await newWorld(t)
  let visits = 0
  const server = createServer((_request, response) => {
    visits++
    response.end(JSON.stringify({ keys: [attacker.jwk] }))
  })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => { server.close() })
  const address = server.address()
  const jku = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/keys`
  const attacker = await newSigningKey('evil')
  const names: ReadonlyArray<Record<string, unknown>> = [
    { jku }, { x5u: jku }, { jwk: attacker.jwk }, { kid: jku }, { kid: '../../dev/null' },
    { kid: "'; DROP TABLE keys" }, { kid: 'k'.repeat(5000) }, { kid: 'key-1', jku, jwk: attacker.jwk }
  ]
  for (const header of names) {
    t.equal((await gateway.get('/v1/whoami', await bearer({ header }, attacker))).status, 401)
  }
  for (let number = 0; number < 100; number++) {
    const headers = await bearer({ header: { kid: `unknown-${number}` } }, attacker)
    t.equal((await gateway.get('/v1/whoami', headers)).status, 401)
  }
  t.equal(visits, 0)
  t.same(provider.asked, ['/.well-known/openid-configuration', '/keys'])
})

t.test('a token that expires while its caller waits ends the wait at once', async (t) => {
  const world = await newWorld(t)
  const { gateway, bearer } = world
  const stream = await newStream(t, world)
  const exp = inSeconds(3)
  const headers = await bearer({ claims: { exp, scope: ALL } })
  const other = await bearer({ claims: { exp: inSeconds(60), scope: ALL } })

  const othersPoll = gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=6`, other)
  async function * endless () {
    while (Date.now() < (exp + 10) * 1000) {
      yield Buffer.from('line\n')
      await delay(100)
    }
  }
  const publish = gateway.request('POST', `/v1/streams/${await newStream(t, world)}/messages/lines`, {
    headers, body: endless()
  })
  const poll = await gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=30`, headers)
  const lateMs = Date.now() - exp * 1000
  t.match(poll, { status: 401, json: { code: 'unauthorized' } })
  t.ok(lateMs >= 0 && lateMs < 1000, `${lateMs} ms after exp`)
  t.match(await publish, { status: 401, json: { code: 'unauthorized' } })
  t.ok(Date.now() - exp * 1000 < 2000, 'the publish ends too')
  t.equal((await gateway.get('/v1/whoami', headers)).status, 401)
  t.equal((await othersPoll).status, 200, 'another caller waits on')
})

t.test('a token is valid for the tolerance after its exp, for all that it is used for', async (t) => {
  const world = await newWorld(t, { JWT_CLOCK_TOLERANCE_SECONDS: '2' })
  const stream = await newStream(t, world)
  const exp = inSeconds(0)
  const headers = await world.bearer({ claims: { exp, scope: ALL } })
  t.equal((await world.gateway.get('/v1/whoami', headers)).status, 200)
  t.equal((await world.gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=30`, headers)).status, 401)
  t.ok(Date.now() >= (exp + 2) * 1000)
  t.equal((await world.gateway.get('/v1/whoami', headers)).status, 401)
})

t.test('without keys a token is answered 503, which is said once, and ends when there are keys', async (t) => {
  const world = await newWorld(t, { AUTH: 'jwt,api-keys', API_KEYS: '{"keys":[]}' }, (provider) => { provider.fail() })
  const { gateway, bearer, provider } = world
  const headers = await bearer()
  for (let times = 0; times < 20; times++) {
    const answer = await gateway.get('/v1/whoami', headers)
    t.match(answer, { status: 503, json: { code: 'identity_provider_unavailable', retryable: true } })
    t.match(answer.headers['retry-after'], /^[1-9]\d?$/)
  }
  t.equal((await gateway.get('/v1/whoami', { authorization: 'Bearer sgw_none' })).status, 401, 'keys go on')
  t.equal((await gateway.get('/health/live')).status, 200)
  provider.recover()
  await until('the keys are there', async () => (await gateway.get('/v1/whoami', headers)).status === 200)
  t.same(lines(world, /keys for tokens/).map(({ level, reason }) => [level, reason]), [
    [50, `${provider.issuer}/.well-known/openid-configuration answered 503`], [30, undefined]
  ])
})

t.test('a discovery that is not to be trusted is not followed', async (t) => {
  const DISCOVERY = '/.well-known/openid-configuration'
  type Prepare = (provider: IdentityProvider) => void
  const answered = (change: (provider: IdentityProvider) => Record<string, unknown>): Prepare => (provider) => {
    provider.answers.set(DISCOVERY, (_request, response) => {
      provider.sendJson(response, { ...provider.discovery, ...change(provider) })
    })
  }
  const discoveries: ReadonlyArray<[Prepare, RegExp]> = [
    [answered(({ issuer }) => ({ issuer: `${issuer}/` })), /names another issuer/],
    [answered(() => ({ issuer: undefined })), /names another issuer/],
    [answered(() => ({ jwks_uri: undefined })), /has no jwks_uri/],
    [answered(() => ({ jwks_uri: 'http://192.0.2.1/keys' })), /jwks_uri of the discovery must be an https URL/],
    [answered(() => ({ jwks_uri: 'file:///etc/passwd' })), /jwks_uri of the discovery must be an https URL/],
    [(provider) => {
      provider.answers.set(DISCOVERY, (_request, response) => { response.writeHead(302, { location: '/x' }).end() })
      provider.answers.set('/x', (_request, response) => { provider.sendJson(response, provider.discovery) })
    }, /redirects are not followed/],
    [(provider) => {
      provider.answers.set(DISCOVERY, (_request, response) => { response.end('null') })
    }, /not an object/]
  ]
  await Promise.all(discoveries.map(async ([prepare, reason]) => {
    const world = await newWorld(t, {}, prepare)
    t.equal((await world.gateway.get('/v1/whoami', await world.bearer())).status, 503)
    t.match(lines(world, /there are no keys for tokens/), exactly({ reason }))
    t.equal(world.provider.asked.every((path) => path === DISCOVERY), true)
  }))
})

t.test('with a key set instead of a discovery, any issuer is taken unless one is named', async (t) => {
  const provider = await IdentityProvider.start(t, [key.jwk])
  const base = { AUTH: 'jwt', JWT_JWKS_URL: `${provider.issuer}/keys`, JWT_AUDIENCE: AUDIENCE }
  const authorization = `Bearer ${await signedToken(key)}`
  const any = await startGateway(t, base)
  t.equal((await any.get('/v1/whoami', { authorization })).status, 200)
  const one = await startGateway(t, { ...base, JWT_ISSUER: 'https://another.example' })
  t.equal((await one.get('/v1/whoami', { authorization })).status, 401)
  t.same(provider.asked, ['/keys', '/keys'])
})
