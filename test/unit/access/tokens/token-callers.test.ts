import type { JWK } from 'jose'
import t from 'tap'
import type { Caller } from '../../../../src/access/caller.ts'
import { fixedKeys } from '../../../../src/access/tokens/fixed-keys.ts'
import { FRESH_MS, MAX_REMEMBERED, REFUSED_MS, TokenCallers } from '../../../../src/access/tokens/token-callers.ts'
import type { TokenKeys } from '../../../../src/access/tokens/token-keys.ts'
import { TokenVerifier } from '../../../../src/access/tokens/token-verifier.ts'
import { exactly } from '../../../support/exactly.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { AUDIENCE, ISSUER, newSigningKey, signedToken } from '../../../support/tokens.ts'

const key = await newSigningKey('key-1')

interface World {
  readonly clock: FakeClock
  readonly callers: TokenCallers
  keys: JWK[]
  /** How many keys were looked for: that is how many tokens were verified. */
  verified: number
}

function newWorld (callerClaim = 'sub'): World {
  const clock = new FakeClock()
  const find: TokenKeys['find'] = async (header) => {
    world.verified++
    return await fixedKeys(world.keys).find(header)
  }
  const rules = { issuer: ISSUER, audience: AUDIENCE, algorithms: ['ES256'], requiredType: undefined }
  const verifier = new TokenVerifier({ ...rules, clockToleranceSeconds: 0 }, { find }, clock)
  const callers = new TokenCallers(verifier, {
    scopes: { claim: 'scope', prefix: 'rabbitmq.', aliases: {} },
    callerClaim,
    virtualHost: '/',
    maxBytes: 8192
  }, clock)
  const world: World = { clock, callers, keys: [key.jwk], verified: 0 }
  return world
}

const expiringIn = async ({ clock }: World, seconds: number, sub = 'billing'): Promise<string> =>
  await signedToken(key, { claims: { sub, exp: Math.floor(clock.now() / 1000) + seconds, scope: 'rabbitmq.read:*/*' } })

const identified = async ({ callers }: World, token: string): Promise<Caller> => await callers.identify(token)
const refused = (reason: RegExp) => ({ name: 'AccessError', code: 'unauthorized', reason })

t.test('a token makes a caller with its name, its rights and its end', async (t) => {
  const world = newWorld()
  const caller = await identified(world, await expiringIn(world, 60))
  t.match(caller, { id: 'billing', scheme: 'jwt', limits: {}, rights: { scopes: exactly('read:*/*') } })
  t.equal(caller.rights.allows('read', 'any'), true)
  t.equal(caller.rights.allows('write', 'any'), false)
  t.equal(caller.rights.allowsConsumer('any'), true)
  t.equal(caller.expiresMs, (Math.floor(world.clock.now() / 1000) + 60) * 1000)
})

t.test('a token that was verified is known at once, as the same caller', async (t) => {
  const world = newWorld()
  const token = await expiringIn(world, 3600)
  const [first, second] = await Promise.all([identified(world, token), identified(world, token)])
  t.equal(first, second)
  t.equal(world.verified, 1, 'requests that come together share a verification')
  t.equal(world.callers.identify(token), first, 'without a promise')
  t.equal(world.verified, 1)
})

t.test('after five minutes a token is verified again, and its caller stays the same', async (t) => {
  const world = newWorld()
  const token = await expiringIn(world, 3600)
  const first = await identified(world, token)
  world.clock.pass(FRESH_MS - 1)
  t.equal(world.callers.identify(token), first)
  world.clock.pass(1)
  t.equal(await identified(world, token), first)
  t.equal(world.verified, 2)
})

t.test('when its key is taken back, a caller ends', async (t) => {
  const world = newWorld()
  const token = await expiringIn(world, 3600)
  const { ended } = await identified(world, token)
  world.keys = []
  world.clock.pass(FRESH_MS)
  t.equal(ended?.aborted, false)
  await t.rejects(identified(world, token), refused(/key/))
  t.match(ended?.reason, refused(/key/))
  world.keys = [key.jwk]
  t.not((await identified(world, token)).ended, ended, 'a key that comes back is asked for at once')
})

t.test('callers end when their tokens expire, with one timer for all', async (t) => {
  const world = newWorld()
  const tokens = await Promise.all([50, 10, 40, 20].map(async (seconds) => await expiringIn(world, seconds)))
  const callers = await Promise.all(tokens.map(async (token) => await identified(world, token)))
  const [, first, , second] = callers
  t.equal(world.clock.timers, 1)
  const endedAfter = (ms: number): number => {
    world.clock.pass(ms)
    return callers.filter(({ ended }) => ended?.aborted).length
  }
  const untilFirst = (first?.expiresMs ?? 0) - world.clock.now()
  t.equal(endedAfter(untilFirst - 1), 0)
  t.equal(endedAfter(1), 1)
  t.match(first?.ended?.reason, refused(/expired/))
  t.equal(endedAfter(9999), 1)
  t.equal(endedAfter(1), 2)
  t.equal(second?.ended?.aborted, true)
  t.equal(endedAfter(3_600_000), 4)
  t.equal(world.clock.timers, 0)
  for (const token of tokens) await t.rejects(identified(world, token), refused(/exp/))
})

t.test('a refused token is refused for ten seconds without being verified again', async (t) => {
  const world = newWorld()
  const token = await signedToken(await newSigningKey('key-1'))
  await t.rejects(identified(world, token), refused(/signature/))
  for (let times = 0; times < 10; times++) t.throws(() => world.callers.identify(token), refused(/signature/))
  t.equal(world.verified, 1)
  world.clock.pass(REFUSED_MS)
  await t.rejects(identified(world, token), refused(/signature/))
  t.equal(world.verified, 2)
})

t.test('a clock that was fast and is set back keeps no token in or out', async (t) => {
  const world = newWorld()
  const day = 24 * 3_600_000
  const good = await expiringIn(world, 7200)
  world.clock.pass(day)
  await t.rejects(identified(world, good), refused(/exp/), 'a day too late')
  const later = await expiringIn(world, 7200)
  await identified(world, later)
  world.clock.setBack(day)
  await t.resolves(identified(world, good))
  world.keys = []
  await t.rejects(identified(world, later), refused(/key/), 'it is verified again')
})

t.test('a token that is not valid yet is not remembered', async (t) => {
  const world = newWorld()
  const token = await signedToken(key, { claims: { nbf: Math.floor(world.clock.now() / 1000) + 2 } })
  await t.rejects(identified(world, token), refused(/nbf/))
  world.clock.pass(2000)
  await t.resolves(identified(world, token))
})

t.test('a flood of bad tokens drives no good one out', async (t) => {
  const world = newWorld()
  const token = await expiringIn(world, 3600)
  const caller = await identified(world, token)
  for (let number = 0; number < 2 * MAX_REMEMBERED + 1; number++) {
    await identified(world, `bad.${number}.token`).catch(() => {})
  }
  t.equal(world.callers.identify(token), caller)
  t.equal(world.verified, 1)
})

t.test('more tokens than are remembered: callers that are in use stay, and all end in time', async (t) => {
  const world = newWorld()
  const used = await expiringIn(world, 3600, 'used')
  const caller = await identified(world, used)
  const held = await identified(world, await expiringIn(world, 3600, 'held'))
  for (let number = 0; number < MAX_REMEMBERED + 100; number++) {
    await identified(world, await expiringIn(world, 7200, `caller ${number}`))
    if (number % 1000 === 0) t.equal(world.callers.identify(used), caller)
  }
  t.equal(world.callers.identify(used), caller)
  world.clock.pass(3_600_000)
  t.equal(held.ended?.aborted, true, 'though its token was forgotten')
  t.equal(caller.ended?.aborted, true)
})

t.test('a token that is too long is not looked at', async (t) => {
  const world = newWorld()
  const token = await signedToken(key, { claims: { padding: 'x'.repeat(9 * 1024) } })
  t.throws(() => world.callers.identify(token), refused(/JWT_MAX_BYTES/))
  t.equal(world.verified, 0)
})

t.test('the name of a caller is a short text', async (t) => {
  const claims = { client: '', number: 7, long: 'x'.repeat(256), line: 'a\nb', azp: 'orders-service' }
  const token = await signedToken(key, { claims })
  for (const claim of ['client', 'number', 'long', 'line', 'missing', 'constructor']) {
    await t.rejects(identified(newWorld(claim), token), refused(/name of the caller/), claim)
  }
  t.equal((await identified(newWorld('azp'), token)).id, 'orders-service')
})

t.test('callers with the same scopes share their rights, others do not', async (t) => {
  const world = newWorld()
  const [one, two] = [await expiringIn(world, 60, 'one'), await expiringIn(world, 60, 'two')]
  t.equal((await identified(world, one)).rights, (await identified(world, two)).rights)
  const writer = await signedToken(key, { claims: { scope: 'rabbitmq.write:*/*' } })
  t.equal((await identified(world, writer)).rights.allows('read', 'any'), false)
})
