import t from 'tap'
import { rightsOf } from '../../../../src/access/scopes.ts'
import { MAX_SCOPES, scopesIn, type ScopeRules } from '../../../../src/access/tokens/token-scopes.ts'

const RULES: ScopeRules = { claim: 'scope', prefix: 'rabbitmq.', aliases: {} }

t.test('scopes come as a text or as an array, and only those with the prefix count', async (t) => {
  const scopes = ['read:*/orders', 'write:v1/*']
  t.same(scopesIn({ scope: ' rabbitmq.read:*/orders  openid rabbitmq.write:v1/* ' }, RULES), scopes)
  t.same(scopesIn({ scope: ['rabbitmq.read:*/orders', 7, null, 'rabbitmq.write:v1/*', 'read:*/*'] }, RULES), scopes)
  t.same(scopesIn({ scp: ['read:*/orders', 'write:v1/*'] }, { ...RULES, claim: 'scp', prefix: '' }), scopes)
  for (const scope of [undefined, null, 7, { read: '*' }, '', []]) t.same(scopesIn({ scope }, RULES), [])
  t.same(scopesIn({ scope: 'rabbitmq.read:*/a rabbitmq.read:*/a' }, RULES), ['read:*/a'])
})

t.test('the claim with the scopes may be inside others', async (t) => {
  const claims = { realm_access: { roles: ['rabbitmq.read:*/a'] }, 'https://x.example/scopes': 'rabbitmq.read:*/b' }
  t.same(scopesIn(claims, { ...RULES, claim: 'realm_access.roles' }), ['read:*/a'])
  t.same(scopesIn(claims, { ...RULES, claim: 'https://x.example/scopes' }), ['read:*/b'])
  for (const claim of ['realm_access', 'realm_access.roles.0', 'realm_access.constructor.name', 'toString']) {
    t.same(scopesIn(claims, { ...RULES, claim }), [], claim)
  }
})

t.test('a role stands for the scopes of its alias', async (t) => {
  const aliases = { 'Orders Reader': ['rabbitmq.read:*/orders*', 'rabbitmq.reset:*/orders*'], other: ['write:*/*'] }
  const scope = ['Orders Reader', 'other', 'constructor', '__proto__']
  t.same(scopesIn({ scope }, { ...RULES, aliases }), ['read:*/orders*', 'reset:*/orders*'])
})

t.test("the gateway's own verbs have the prefix too, and RabbitMQ's tags for figures are monitor", async (t) => {
  const rights = (scope: string) => rightsOf({ scopes: scopesIn({ scope }, RULES) }, '/')
  t.equal(rights('rabbitmq.reset:*/orders*').allows('reset', 'orders.eu'), true)
  t.equal(rights('rabbitmq.reset:*/orders*').allows('read', 'orders.eu'), false)
  for (const scope of ['rabbitmq.monitor', 'rabbitmq.tag:monitoring', 'rabbitmq.tag:administrator']) {
    t.equal(rights(scope).allowsMonitor(), true, scope)
  }
  for (const scope of ['monitor', 'tag:monitoring', 'rabbitmq.tag:management', 'rabbitmq.tag:monitor']) {
    t.equal(rights(scope).allowsMonitor(), false, scope)
  }
})

t.test('a token with more scopes than are tried for each request is refused', async (t) => {
  const scopes = Array.from({ length: MAX_SCOPES }, (_, index) => `rabbitmq.read:*/s${index}`)
  t.equal(scopesIn({ scope: scopes }, RULES).length, MAX_SCOPES)
  t.throws(() => scopesIn({ scope: [...scopes, 'rabbitmq.write:*/s'] }, RULES), { code: 'unauthorized' })
  t.equal(scopesIn({ scope: [...scopes, ...scopes, 'openid'] }, RULES).length, MAX_SCOPES, 'others do not count')
})
