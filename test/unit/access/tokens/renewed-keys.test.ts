import t, { type Test } from 'tap'
import { setTimeout as delay } from 'node:timers/promises'
import { COOLDOWN_MS, RENEW_MS, RenewedKeys, STALE_MS } from '../../../../src/access/tokens/renewed-keys.ts'
import { ProviderDocuments } from '../../../../src/plugins/provider-documents.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import { IdentityProvider } from '../../../support/identity-provider.ts'
import { newSigningKey } from '../../../support/tokens.ts'
import { until } from '../../../support/until.ts'

const first = await newSigningKey('first')
const second = await newSigningKey('second')

interface World {
  readonly clock: FakeClock
  readonly provider: IdentityProvider
  readonly keys: RenewedKeys
  readonly states: string[]
  readonly reasons: string[]
  /** Lets time pass, and then what was begun come to its end. */
  readonly pass: (ms: number) => Promise<void>
}

async function newWorld (t: Test, isDown = false): Promise<World> {
  const clock = new FakeClock()
  const provider = await IdentityProvider.start(t, [first.jwk])
  if (isDown) provider.fail()
  const documents = new ProviderDocuments()
  const states: string[] = []
  const reasons: string[] = []
  let underWay = 0
  const keys = new RenewedKeys({
    load: async () => {
      underWay++
      return await documents.get(`${provider.issuer}/keys`).finally(() => { underWay-- })
    },
    report: (state, reason) => {
      states.push(state)
      reasons.push(reason)
    },
    clock
  })
  t.teardown(async () => {
    keys.close()
    await documents.close()
  })
  keys.start()
  const settle = async (): Promise<void> => {
    await until('the load ends', () => underWay === 0)
    await delay(1)
  }
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms)
    await settle()
  }
  return { clock, provider, keys, states, reasons, pass }
}

const find = async ({ keys }: World, kid: string): Promise<string> =>
  await keys.find({ alg: 'ES256', kid }).then(() => 'found', (error: unknown) => {
    return error instanceof Error && 'code' in error ? String(error.code) : 'another error'
  })

t.test('the first tokens wait for the keys, which are asked for once', async (t) => {
  const world = await newWorld(t)
  const found = await Promise.all(Array.from({ length: 50 }, async () => await find(world, 'first')))
  t.equal(found.every((result) => result === 'found'), true)
  t.same(world.provider.asked, ['/keys'])
  t.same(world.states, ['loaded'])
})

t.test('many tokens with unknown keys have the provider asked once in 30 seconds', async (t) => {
  const world = await newWorld(t)
  await find(world, 'first')
  const flood = async (): Promise<number> => {
    const before = world.provider.asked.length
    await Promise.all(Array.from({ length: 200 }, async (_, index) => { await find(world, `unknown ${index}`) }))
    for (let index = 0; index < 20; index++) await find(world, `later ${index}`)
    return world.provider.asked.length - before
  }
  t.equal(await flood(), 0, 'the keys are fresh')
  await world.pass(COOLDOWN_MS)
  t.equal(await flood(), 1)
  t.equal(await flood(), 0)
  t.equal(await find(world, 'unknown'), 'ERR_JWKS_NO_MATCHING_KEY')
})

t.test('a new key is known with the first token that names it, and an old one ends', async (t) => {
  const world = await newWorld(t)
  await find(world, 'first')
  world.provider.keys = [second.jwk]
  await world.pass(COOLDOWN_MS)
  t.equal(await find(world, 'first'), 'found', 'nobody has said yet that it has ended')
  t.equal(await find(world, 'second'), 'found')
  t.equal(await find(world, 'first'), 'ERR_JWKS_NO_MATCHING_KEY')
})

t.test('keys are renewed after ten minutes without a request', async (t) => {
  const world = await newWorld(t)
  await find(world, 'first')
  world.provider.keys = [second.jwk]
  await world.pass(RENEW_MS - 1)
  t.equal(world.provider.asked.length, 1)
  t.equal(world.keys.ageSeconds, (RENEW_MS - 1) / 1000)
  await world.pass(1)
  t.equal(world.keys.ageSeconds, 0)
  t.equal(await find(world, 'first'), 'ERR_JWKS_NO_MATCHING_KEY')
  t.equal(await find(world, 'second'), 'found')
})

t.test('while the provider is down the last keys go on for a day, and it is said once', async (t) => {
  const world = await newWorld(t)
  await find(world, 'first')
  world.provider.fail()
  for (let hour = 0; hour < 24; hour++) {
    t.equal(await find(world, 'first'), 'found')
    await world.pass(STALE_MS / 24)
  }
  t.equal(await find(world, 'first'), 'identity_provider_unavailable')
  await world.pass(COOLDOWN_MS)
  t.same(world.states, ['loaded', 'stale', 'missing'])
  t.match(world.reasons[1], /\/keys answered 503$/)

  world.provider.recover()
  await world.pass(COOLDOWN_MS)
  t.equal(await find(world, 'first'), 'found')
  t.same(world.states, ['loaded', 'stale', 'missing', 'loaded'])
})

t.test('a provider that is down at the start is asked again soon, and then less often', async (t) => {
  const world = await newWorld(t, true)
  t.equal(await find(world, 'first'), 'identity_provider_unavailable')
  t.equal(world.keys.ageSeconds, Infinity)
  await t.rejects(world.keys.find({ alg: 'ES256', kid: 'first' }), { name: 'AccessError', retryAfterSeconds: 1 })
  t.equal(world.provider.asked.length, 1, 'requests do not ask the provider')
  for (let second = 0; second < 120; second++) await world.pass(1000)
  t.equal(world.provider.asked.length, 8, 'at once, and after 1, 3, 7, 15, 31, 61 and 91 seconds')
  world.provider.recover()
  await world.pass(COOLDOWN_MS)
  t.equal(await find(world, 'first'), 'found')
  t.same(world.states, ['missing', 'loaded'])
})

t.test('what is not a set of keys is refused, and says why', async (t) => {
  for (const document of [{ keys: 'none' }, { keys: [7] }, [first.jwk], null, 'keys']) {
    const world = await newWorld(t, true)
    world.provider.answers.set('/keys', (_request, response) => { world.provider.sendJson(response, document) })
    await find(world, 'first')
    t.equal(await find(world, 'first'), 'identity_provider_unavailable')
    t.same(world.reasons, ['its answer is not a set of keys (RFC 7517)'], JSON.stringify(document))
  }
})

t.test('an empty set of keys does not take the last keys away', async (t) => {
  const world = await newWorld(t)
  await find(world, 'first')
  world.provider.keys = []
  await world.pass(RENEW_MS)
  t.equal(await find(world, 'first'), 'found')
  t.same(world.states, ['loaded', 'stale'])
  t.match(world.reasons[1], /empty/)
})

t.test('a provider that hangs holds up only the tokens that need it', async (t) => {
  const world = await newWorld(t)
  await find(world, 'first')
  world.provider.answers.set('/keys', () => {})
  world.clock.pass(COOLDOWN_MS)
  const startMs = performance.now()
  const waiting = find(world, 'unknown')
  for (let times = 0; times < 100; times++) t.equal(await find(world, 'first'), 'found')
  t.ok(performance.now() - startMs < 1000, 'others do not wait')
  t.equal(await waiting, 'ERR_JWKS_NO_MATCHING_KEY')
  const tookMs = performance.now() - startMs
  t.ok(tookMs > 4000 && tookMs < 6500, `it ends after 5 seconds, not ${tookMs} ms`)
  t.match(world.reasons.at(-1), /did not answer within 5 seconds/)
})
