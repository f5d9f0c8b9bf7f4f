import t from 'tap'
import { randomUUID } from 'node:crypto'
import { exactly } from '../support/exactly.ts'
import type { Answer } from '../support/gateway.ts'
import { adminKey, keyFile, newKey } from '../support/keyed-gateway.ts'
import { startPushGateway } from '../support/push-gateway.ts'

const url = 'https://hooks.example.com/orders'
const orders = `orders-${randomUUID()}`
const bills = `bills-${randomUUID()}`
const admin = adminKey()
const scopes = (...texts: string[]) => ({ scopes: texts.map((text) => text.replace(':', ':*/')) })
const KEYS = {
  reads: newKey(scopes(`read:${orders}`)),
  writesErrors: newKey(scopes(`read:${orders}`, `write:${orders}_errors`)),
  creates: newKey(scopes(`read:${orders}`, `write:${orders}_errors`, `configure:${orders}_errors`)),
  resets: newKey(scopes(`read:${orders}`, `reset:${orders}`, `write:${orders}_errors`)),
  otherConsumer: newKey({ ...scopes(`read:${orders}`, `reset:${orders}`), consumers: ['reports*'] }),
  otherStream: newKey(scopes(`read:${bills}`, `write:${bills}*`, `configure:${bills}*`))
}

const gateway = await startPushGateway(t, {
  AUTH: 'api-keys', API_KEYS: keyFile(admin, ...Object.values(KEYS)), AUDIT_LOG: 'changes'
})
t.teardown(async () => {
  for (const stream of [orders, `${orders}_errors`, bills]) {
    await gateway.request('DELETE', `/v1/streams/${stream}`, { headers: admin.headers }).catch(() => {})
  }
})
for (const stream of [orders, bills]) await gateway.request('PUT', `/v1/streams/${stream}`, { headers: admin.headers })
const path = `/v1/streams/${orders}/subscriptions`
type Name = keyof typeof KEYS
type Method = Parameters<typeof gateway.request>[0]

async function by (name: Name, method: Method, suffix: string, json?: unknown): Promise<Answer> {
  const { headers } = KEYS[name]
  return await gateway.request(method, path + suffix, { headers, ...(json !== undefined && { json }) })
}

t.test('a subscription needs the right to write its error stream, and to create it when it is missing', async (t) => {
  const put = async (name: Name, fields = {}) => await by(name, 'PUT', '/a', { url, ...fields })
  const lacks = (verb: string) => ({
    code: 'access_refused', detail: `the caller has no "${verb}" on the stream "${orders}_errors"`
  })
  t.match((await put('otherStream')).json, { status: 403, code: 'access_refused' })
  t.match((await put('reads')).json, { status: 403, ...lacks('write') })
  t.match((await put('writesErrors')).json, { status: 403, ...lacks('configure') })
  t.equal((await put('reads', { onFailure: 'drop' })).status, 201, 'without an error stream to read is enough')
  t.equal((await put('creates')).status, 200)
  t.equal((await put('writesErrors')).status, 200, 'it is there now')
})

t.test('a subscription needs the right to its consumer, before a change and after it', async (t) => {
  const foreign = { status: 403, code: 'access_refused', detail: /may not use the consumer "push.a"/ }
  const none = { onFailure: 'drop' }
  t.match((await by('otherConsumer', 'PUT', '/b', { url, ...none })).json, { code: 'access_refused' })
  t.equal((await by('otherConsumer', 'PUT', '/b', { url, ...none, consumer: 'reports-b' })).status, 201)
  t.match((await by('otherConsumer', 'PUT', '/a', { url, ...none, consumer: 'reports-a' })).json, foreign)
  for (const [method, suffix, json] of [
    ['PATCH', '/a', {}], ['DELETE', '/a'], ['POST', '/a/pause'], ['POST', '/a/resume'], ['POST', '/a/test'],
    ['POST', '/a/reset', { to: 'first' }], ['POST', '/a/skip', { offset: 0 }], ['POST', '/a/secrets'],
    ['POST', '/a/redrives'], ['DELETE', '/a/redrives/1']
  ] as const) t.match((await by('otherConsumer', method, suffix, json)).json, foreign, `${method} ${suffix}`)
  t.equal((await by('otherConsumer', 'GET', '/a')).status, 200, 'to look at it is to read the stream')
})

t.test('a reset and a skip need the right to reset, a redrive that to read the error stream', async (t) => {
  t.match((await by('creates', 'POST', '/a/reset', { to: 'first' })).json, { status: 403 })
  t.match((await by('creates', 'POST', '/a/skip', { offset: 0 })).json, { status: 403 })
  t.match((await by('resets', 'POST', '/a/skip', { offset: 7 })).json, { status: 409 })
  t.match((await by('creates', 'POST', '/a/redrives')).json, {
    status: 403, detail: `the caller has no "read" on the stream "${orders}_errors"`
  })
})

t.test('a caller sees the subscriptions of the streams that it may read', async (t) => {
  await gateway.request('PUT', `/v1/streams/${bills}/subscriptions/c`, {
    headers: KEYS.otherStream.headers, json: { url, onFailure: 'drop' }
  })
  const seenBy = async (name: Name) => (await gateway.get('/v1/subscriptions', KEYS[name].headers)).json
  t.match(await seenBy('reads'), { subscriptions: exactly({ subscription: 'a' }, { subscription: 'b' }) })
  t.match(await seenBy('otherStream'), { subscriptions: exactly({ stream: bills, subscription: 'c' }) })
  t.match((await by('otherStream', 'GET', '')).json, { status: 403 })
})

t.test('the audit log has who changed what, and no secret', async (t) => {
  const { json } = await by('creates', 'PUT', '/audited', { url, headers: { authorization: 'Bearer very-secret' } })
  const { secrets: [secret] } = JSON.parse(JSON.stringify(json))
  await by('creates', 'DELETE', '/audited')
  const lines = gateway.log.filter(({ subscription, audit }) => audit === true && subscription === 'audited')
  t.match(lines, exactly(
    { event: 'subscription.changed', stream: orders, status: 201, caller: 'billing' },
    { event: 'subscription.deleted', stream: orders, status: 204 }
  ))
  const text = JSON.stringify(gateway.log)
  t.notMatch(text, 'very-secret')
  t.notOk(text.includes(secret))
})
