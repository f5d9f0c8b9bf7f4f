import t from 'tap'
import { AccessError } from '../../../src/access/access-error.ts'
import { EVERYTHING, type Caller } from '../../../src/access/caller.ts'
import { Gate, type Authenticators } from '../../../src/access/gate.ts'

const callerNamed = (id: string): Caller => ({ id, scheme: 'none', rights: EVERYTHING, limits: {} })

const ALL: Required<Authenticators> = {
  key: (key) => callerNamed(`key ${key}`),
  token: (token) => callerNamed(`token ${token}`),
  rabbitmq: ({ user, password }) => callerNamed(`rabbitmq ${user}:${password}`),
  certificate: (names) => callerNamed(`certificate ${names.join(' ')}`)
}
const BASIC = `Basic ${Buffer.from('user:password').toString('base64')}`

interface Request { authorization?: string, certificate?: readonly string[] }

async function through (ways: Authenticators, { authorization, certificate }: Request): Promise<string> {
  return (await new Gate(ways).identify({ authorization, certificate, address: undefined })).id
}

async function refusal (ways: Authenticators, request: Request): Promise<AccessError> {
  try {
    await through(ways, request)
  } catch (error) {
    if (error instanceof AccessError) return error
    throw error
  }
  throw new Error('it was let in')
}

t.test('each credential goes the way that it shows', async (t) => {
  t.equal(await through(ALL, { authorization: 'Bearer sgw_a' }), 'key sgw_a')
  t.equal(await through(ALL, { authorization: 'Bearer abc' }), 'token abc')
  t.equal(await through(ALL, { authorization: BASIC }), 'rabbitmq user:password')
  t.equal(await through(ALL, { certificate: ['spiffe://a', 'b'] }), 'certificate spiffe://a b')
})

t.test('Authorization counts more than a certificate', async (t) => {
  t.equal(await through(ALL, { authorization: 'Bearer sgw_a', certificate: ['b'] }), 'key sgw_a')
  t.equal((await refusal(ALL, { authorization: 'nonsense', certificate: ['b'] })).code, 'unauthorized')
})

t.test('without a way for tokens a token is the password of a RabbitMQ user', async (t) => {
  t.equal(await through({ rabbitmq: ALL.rabbitmq }, { authorization: 'Bearer abc' }), 'rabbitmq :abc')
})

t.test('a token has the name that it says, and not the one beside it', async (t) => {
  const payload = Buffer.from('{"sub":"alice"}').toString('base64url')
  const basic = (password: string): string => `Basic ${Buffer.from(`admin:${password}`).toString('base64')}`
  t.equal(await through(ALL, { authorization: basic(`e30.${payload}.c2ln`) }), `rabbitmq :e30.${payload}.c2ln`)
  t.equal(await through(ALL, { authorization: basic('pass.word.too') }), 'rabbitmq admin:pass.word.too')
})

t.test('a way that is closed lets nobody in by another one', async (t) => {
  const { key, token, rabbitmq, certificate } = ALL
  const closed: Array<[Authenticators, Request]> = [
    [{}, { authorization: 'Bearer sgw_a' }],
    [{ token, rabbitmq, certificate }, { authorization: 'Bearer sgw_a' }],
    [{ key, certificate }, { authorization: 'Bearer abc' }],
    [{ key, token, certificate }, { authorization: BASIC }],
    [{ key, token, rabbitmq }, { certificate: ['a'] }],
    [{ key, token, rabbitmq, certificate }, {}]
  ]
  for (const [ways, request] of closed) t.equal((await refusal(ways, request)).code, 'unauthorized')
})

t.test('a credential that is known at once takes no promise', async (t) => {
  const presented = { authorization: 'Bearer sgw_a', certificate: undefined, address: undefined }
  t.notOk(new Gate(ALL).identify(presented) instanceof Promise)
})
