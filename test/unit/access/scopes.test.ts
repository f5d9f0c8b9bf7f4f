import t from 'tap'
import { parseScope, rightsOf } from '../../../src/access/scopes.ts'
import { VERBS } from '../../../src/access/verb.ts'

t.test('a scope allows its verb on the streams that match, and nothing else', async (t) => {
  const rights = rightsOf({ scopes: ['read:*/orders*', 'write:%2F/orders.out'] }, '/')
  t.equal(rights.allows('read', 'orders'), true)
  t.equal(rights.allows('read', 'orders.eu'), true)
  t.equal(rights.allows('read', 'my-orders'), false)
  t.equal(rights.allows('read', 'Orders'), false)
  t.equal(rights.allows('write', 'orders.out'), true)
  t.equal(rights.allows('write', 'orders.out2'), false)
  t.equal(rights.allows('configure', 'orders'), false)
  t.equal(rights.allows('reset', 'orders'), false)
  t.equal(rights.allowsMonitor(), false)
})

t.test('a scope of another virtual host allows nothing', async (t) => {
  t.equal(rightsOf({ scopes: ['read:other/*'] }, '/').allows('read', 'orders'), false)
  t.equal(rightsOf({ scopes: ['read:%2F/*'] }, '/').allows('read', 'orders'), true)
  t.equal(rightsOf({ scopes: ['read:%2F/*'] }, 'other').allows('read', 'orders'), false)
  t.equal(rightsOf({ scopes: ['monitor:other/*'] }, '/').allowsMonitor(), false)
  t.equal(rightsOf({ scopes: ['read:team-*/*'] }, 'team-a').allows('read', 'orders'), true)
})

t.test('a routing key is ignored', async (t) => {
  t.equal(rightsOf({ scopes: ['read:*/orders/some.key'] }, '/').allows('read', 'orders'), true)
  t.equal(rightsOf({ scopes: ['read:*/orders/some.key'] }, '/').allows('read', 'other'), false)
})

t.test('monitor may stand alone', async (t) => {
  t.equal(rightsOf({ scopes: ['monitor'] }, '/').allowsMonitor(), true)
  t.equal(rightsOf({ scopes: ['monitor'] }, '/').allows('read', 'orders'), false)
})

t.test('scopes of one verb add up', async (t) => {
  const rights = rightsOf({ scopes: ['read:*/a', 'read:*/b'] }, '/')
  t.equal(rights.allows('read', 'a'), true)
  t.equal(rights.allows('read', 'b'), true)
  t.equal(rights.allows('read', 'ab'), false)
})

t.test('texts that are not scopes are not read and grant nothing', async (t) => {
  const texts = [
    '', 'read', 'read:', 'read:*', 'monitor:*',
    'read:*/', 'read:/x', 'Read:*/x', 'admin:*/*', 'read:*/a/b/c', ':*/*', 'read :*/*',
    'read:%zz/*', 'read:*/%', 'constructor:*/*', '__proto__:*/*', 'configure'
  ]
  for (const text of texts) {
    t.equal(parseScope(text), undefined, text)
    const rights = rightsOf({ scopes: [text] }, '/')
    t.equal(VERBS.some((verb) => rights.allows(verb, 'x')), false, text)
    t.equal(rights.allowsMonitor(), false, text)
  }
  t.equal(rightsOf({ scopes: [] }, '/').allows('read', 'x'), false)
})

t.test('every consumer and publisher is allowed, unless patterns say which', async (t) => {
  const all = rightsOf({ scopes: [] }, '/')
  t.equal(all.allowsConsumer('anything'), true)
  t.equal(all.allowsPublisher('anything'), true)
  const some = rightsOf({ scopes: [], consumers: ['billing*', 'audit'], publishers: [] }, '/')
  t.equal(some.allowsConsumer('billing-2'), true)
  t.equal(some.allowsConsumer('audit'), true)
  t.equal(some.allowsConsumer('audit-2'), false)
  t.equal(some.allowsPublisher('anything'), false)
  t.equal(some.allowsPublisher(''), false)
})
