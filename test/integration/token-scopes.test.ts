import t, { type Test } from 'tap'
import { rightsOf } from '../../src/access/scopes.ts'
import { scopesIn } from '../../src/access/tokens/token-scopes.ts'
import { AuthenticationError, Connection, ResponseCode, ResponseError } from '../../src/streams/protocol/index.ts'
import { startPrivateBroker } from '../support/broker.ts'
import { newSigningKey, signedToken } from '../support/tokens.ts'
import { handlers, optionsFromUrl } from '../unit/protocol/open-connection.ts'
import { none } from './open-connection.ts'

// A token means the same to RabbitMQ's plugin rabbitmq_auth_backend_oauth2 and to the gateway.

const STREAMS = ['orders', 'orders.eu', 'a b', 'a+b', 'x.out.out', 'foofoo', 'a*b', 'größe']
const VIRTUAL_HOSTS = ['/', 'v1']

// Each is the scope claim of one token. The first virtual host is `/`, whose name is written %2F.
const CLAIMS: ReadonlyArray<string | readonly string[]> = [
  'rabbitmq.read:*/*',
  'rabbitmq.write:%2F/*',
  'rabbitmq.configure:%2f/orders',
  'rabbitmq.read:v1/* rabbitmq.write:v*/orders*',
  'rabbitmq.read:%2F/orders rabbitmq.write:%2F/orders.eu rabbitmq.configure:%2F/foofoo',
  'rabbitmq.read:%2F/orders/anything',
  'rabbitmq.read:%2F/orders/any/thing rabbitmq.write:%2F/foofoo',
  'rabbitmq.read:* rabbitmq.write:%2F/foofoo',
  'rabbitmq.read:*/ rabbitmq.write:%2F/foofoo',
  'rabbitmq.read:/* rabbitmq.write:%2F/foofoo',
  'rabbitmq.read:%2F/*.out rabbitmq.write:%2F/*foo rabbitmq.configure:%2F/*o*o',
  'rabbitmq.read:%2F/foofoo* rabbitmq.write:%2F/foofoo** rabbitmq.configure:%2F/**foofoo',
  'rabbitmq.read:%2F/a+b rabbitmq.write:%2F/a%2Bb rabbitmq.configure:%2F/a%20b',
  'rabbitmq.read:%2F/a*b rabbitmq.write:%2F/a%2Ab rabbitmq.configure:%2F/a%zzb',
  'rabbitmq.read:%2F/gr%C3%B6%C3%9Fe rabbitmq.write:%2F/größe rabbitmq.configure:%2F/gr*e',
  'rabbitmq.READ:*/* rabbitmq.Write:*/* rabbitmq.configure:%2F/orders',
  'read:*/* other.write:*/* rabbitmqread:*/* rabbitmq.configure:%2F/orders',
  'rabbitmq.reset:*/* rabbitmq.monitor rabbitmq.monitor:*/* rabbitmq.tag:administrator rabbitmq.read:%2F/orders',
  ['rabbitmq.read:%2F/orders', 'rabbitmq.write:%2F/a b', 'openid'],
  'openid profile',
  ''
]

t.test('a token allows the same on the gateway as on RabbitMQ', { timeout: 300_000 }, async (t) => {
  const key = await newSigningKey('k1', 'RS256')
  const { node } = await startPrivateBroker(t, {
    plugins: ['rabbitmq_auth_backend_oauth2'],
    configuration: [
      'auth_backends.1 = rabbit_auth_backend_oauth2',
      'auth_backends.2 = rabbit_auth_backend_internal',
      'auth_oauth2.resource_server_id = rabbitmq'
    ]
  })
  const members = Object.entries(key.jwk).map(([name, value]) => `<<"${name}">> => <<"${String(value)}">>`)
  await node.ctl('eval', `application:set_env(rabbitmq_auth_backend_oauth2, key_config,
    [{default_key, <<"k1">>}, {signing_keys, #{<<"k1">> => {map, #{${members.join()}}}}}]).`)
  await node.ctl('add_vhost', 'v1')
  await node.ctl('set_permissions', '-p', 'v1', 'guest', '.*', '.*', '.*')

  for (const virtualHost of VIRTUAL_HOSTS) {
    const owner = await open(t, node.streamPort, { virtualHost, username: 'guest', password: 'guest' })
    for (const stream of STREAMS) await owner.createStream(stream, none)
    // RabbitMQ takes three seconds to refuse a connection.
    await Promise.all(CLAIMS.map(async (scope) => {
      const claims = { aud: 'rabbitmq', scope }
      const password = await signedToken(key, { claims })
      const ours = allowedByUs(claims, virtualHost)
      const theirs = await allowedByRabbitmq(t, node.streamPort, { virtualHost, username: '', password })
      t.same(theirs, ours, `${JSON.stringify(scope)} in ${virtualHost}`)
    }))
    await owner.close()
  }
})

type Allowed = Record<string, string[]>

function allowedByUs (claims: Record<string, unknown>, virtualHost: string): Allowed {
  const scopes = scopesIn(claims, { claim: 'scope', prefix: 'rabbitmq.', aliases: {} })
  const rights = rightsOf({ scopes }, virtualHost)
  return Object.fromEntries(STREAMS.map((stream) => [
    stream, (['read', 'write', 'configure'] as const).filter((verb) => rights.allows(verb, stream))
  ]))
}

interface Login { readonly virtualHost: string, readonly username: string, readonly password: string }

async function allowedByRabbitmq (t: Test, port: number, login: Login): Promise<Allowed> {
  const connection = await open(t, port, login).catch((error: unknown) => {
    // No scope is about this virtual host.
    if (error instanceof AuthenticationError && error.command === 'open') return undefined
    throw error
  })
  const allowed: Allowed = {}
  for (const stream of STREAMS) {
    const verbs = allowed[stream] = new Array<string>()
    if (connection === undefined) continue
    if (await isAllowed(connection.streamStats(stream))) verbs.push('read')
    if (await isAllowed(connection.declarePublisher(0, '', stream))) {
      verbs.push('write')
      await connection.deletePublisher(0)
    }
    if (await isAllowed(connection.createStream(stream, none))) verbs.push('configure')
  }
  await connection?.close()
  return allowed
}

async function isAllowed (asked: Promise<unknown>): Promise<boolean> {
  try {
    await asked
    return true
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error
    if (error.responseCode === ResponseCode.streamAlreadyExists) return true
    if (error.responseCode === ResponseCode.accessRefused) return false
    throw error
  }
}

async function open (t: Test, port: number, { virtualHost, username, password }: Login): Promise<Connection> {
  return await Connection.open(optionsFromUrl(`rabbitmq-stream://guest:guest@127.0.0.1:${port}/%2f`, {
    connectionName: t.name,
    handlers: handlers(),
    virtualHost,
    authentication: { mechanism: 'PLAIN', username, password }
  }))
}
