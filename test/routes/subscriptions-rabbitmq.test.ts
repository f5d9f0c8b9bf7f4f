import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { PUSH_SETTINGS } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { until } from '../support/until.ts'
import { field } from '../support/workload/index.ts'

t.setTimeout(120_000)

const { node } = await startPrivateBroker(t)
const receiver = await startReceiver(t)
const gateway = await startGateway(t, {
  ...PUSH_SETTINGS,
  RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@127.0.0.1:${node.streamPort}/%2f`,
  RABBITMQ_MANAGEMENT_URL: node.managementUrl,
  AUTH: 'rabbitmq'
})

type Headers = Record<string, string>
type Method = Parameters<typeof gateway.request>[0]

// Permissions of the users: configure, write, read.
const USERS = {
  admin: ['.*', '.*', '.*'],
  reader: ['^$', '^$', '^orders'],
  writer: ['^$', '_errors$', '^orders'],
  maker: ['_errors$', '_errors$', '^orders'],
  leaver: ['_errors$', '_errors$', '^orders'],
  passing: ['^$', '_errors$', '^orders'],
  stranger: ['.*', '.*', '^bills'],
  half: ['_errors$', '_errors$', '^shop-0$'],
  whole: ['_errors$', '_errors$', '^sales'],
  part: ['_errors$', '_errors$', '^sales(-0)?$']
} as const

// In one call, because each takes a second. The password is the name twice.
await node.ctl('eval', `
  [begin
    ok = rabbit_auth_backend_internal:add_user(Name, <<Name/binary, Name/binary>>, <<"test">>),
    ok = rabbit_auth_backend_internal:set_permissions(Name, <<"/">>, Configure, Write, Read, <<"test">>)
  end || [Name, Configure, Write, Read] <- [${
    Object.entries(USERS)
      .map(([name, permissions]) => `[${[name, ...permissions].map((text) => `<<"${text}">>`).join()}]`).join()
  }]].`)

function loginOf (name: keyof typeof USERS): Headers {
  return { authorization: `Basic ${Buffer.from(`${name}:${name}${name}`).toString('base64')}` }
}

const [admin, reader, writer, maker, stranger] = [
  loginOf('admin'), loginOf('reader'), loginOf('writer'), loginOf('maker'), loginOf('stranger')
]

for (const name of ['orders', 'orders-b', 'bills']) {
  const { status } = await gateway.request('PUT', `/v1/streams/${name}`, { headers: admin })
  if (status !== 201) throw new Error(`${name} was not created: ${status}`)
}
for (const path of ['/v1/super-streams/shop', '/v1/super-streams/sales']) {
  await gateway.request('PUT', path, { headers: admin, json: { partitions: 2 } })
}

const { url } = receiver
const REFUSED = { status: 403, code: 'access_refused', sideEffects: 'none', retryable: false }

async function ask (headers: Headers, method: Method, path: string, json?: unknown): Promise<Answer> {
  return await gateway.request(method, `/v1${path}`, { headers, ...(json !== undefined && { json }) })
}

async function put (headers: Headers, stream: string, name: string, fields = {}): Promise<Answer> {
  return await ask(headers, 'PUT', `/streams/${stream}/subscriptions/${name}`, { url, ...fields })
}

t.test('who may not read a stream makes no subscription of it, and learns of none', async (t) => {
  t.equal((await put(maker, 'orders', 'known', { errorStream: 'orders_errors', paused: true })).status, 201)
  const requests: Array<readonly [Method, string, unknown?]> = [
    ['GET', ''], ['GET', '/known'], ['PUT', '/known', { url }], ['PATCH', '/known', { paused: false }],
    ['DELETE', '/known'], ['POST', '/known/pause'], ['POST', '/known/resume'],
    ['POST', '/known/reset', { to: 'first' }], ['POST', '/known/skip', { offset: 0 }], ['POST', '/known/test'],
    ['POST', '/known/secrets'], ['POST', '/known/redrives'], ['GET', '/known/redrives'],
    ['GET', '/known/redrives/1'], ['DELETE', '/known/redrives/1']
  ]
  for (const [method, suffix, json] of requests) {
    const answers = []
    for (const stream of ['orders', 'orders-absent']) {
      const { json: answer } = await ask(stranger, method, `/streams/${stream}/subscriptions${suffix}`, json)
      t.match(answer, REFUSED, `${method} ${suffix} of ${stream}`)
      answers.push(String(field(answer, 'detail')).replace(stream, ''))
    }
    t.equal(answers[0], answers[1], `${method} ${suffix}: the same words whether it exists or not`)
  }
  t.match((await ask(stranger, 'GET', '/subscriptions')).json, { subscriptions: exactly() })
  t.match((await ask(reader, 'GET', '/subscriptions')).json, { subscriptions: exactly({ subscription: 'known' }) })
  t.match((await ask(reader, 'GET', '/streams/orders/subscriptions/known')).json, { paused: true, version: Number })
})

t.test('a subscription needs a user who may write its error stream, and create it when it is missing', async (t) => {
  const lacks = { ...REFUSED, detail: /"write" on the stream "orders-b_errors"/ }
  t.match((await put(reader, 'orders-b', 'a')).json, lacks)
  t.match((await put(writer, 'orders-b', 'a')).json, REFUSED, 'it may not create it')
  t.equal((await ask(admin, 'GET', '/streams/orders-b_errors')).status, 404)
  t.equal((await put(reader, 'orders-b', 'a', { onFailure: 'drop' })).status, 201, 'to read is enough without one')
  t.match((await ask(reader, 'PATCH', '/streams/orders-b/subscriptions/a', { onFailure: 'errorStream' })).json, lacks)
  t.equal((await put(maker, 'orders-b', 'a')).status, 200)
  t.equal((await put(writer, 'orders-b', 'a')).status, 200, 'it is there now')
  t.match((await put(writer, 'orders-b', 'b', { errorStream: 'bills' })).json, REFUSED)
  for (const name of ['gateway.push.definitions', 'gateway.push.status']) {
    t.match((await put(admin, 'orders-b', 'b', { errorStream: name })).status, /^4/, `${name} is no error stream`)
  }
  t.match((await ask(reader, 'POST', '/streams/orders-b/subscriptions/a/skip', { offset: 0 })).json, lacks)
  t.match((await ask(reader, 'POST', '/streams/orders-b/subscriptions/a/redrives')).json, lacks)
})

t.test('a refusal names no subscription of a stream that the caller may not read', async (t) => {
  const whole = { url, onFailure: 'drop', consumer: 'shared', paused: true }
  t.equal((await ask(admin, 'PUT', '/super-streams/shop/subscriptions/confidential', whole)).status, 201)
  const half = loginOf('half')
  const { status, json } = await put(half, 'shop-0', 'mine', { onFailure: 'drop', consumer: 'shared' })
  t.equal(status, 400)
  t.notMatch(JSON.stringify(json), /confidential|"shop"/)
  t.match((await put(admin, 'shop-0', 'mine', { onFailure: 'drop', consumer: 'shared' })).json, {
    errors: exactly({ pointer: '/consumer', message: /"confidential" of "shop"/ })
  })
  // Whether its error stream leads back is told to who may write the error stream.
  await put(admin, 'orders-b', 'back', { errorStream: 'bills', paused: true })
  t.match((await put(reader, 'orders', 'circle', { errorStream: 'bills' })).json, REFUSED)
  await put(admin, 'bills', 'forth', { errorStream: 'orders', paused: true })
  t.match((await put(reader, 'orders', 'circle', { errorStream: 'bills' })).json, REFUSED)
  t.equal((await put(admin, 'orders', 'circle', { errorStream: 'bills' })).status, 422)
  for (const [stream, name] of [['orders-b', 'back'], ['bills', 'forth']]) {
    t.equal((await ask(admin, 'DELETE', `/streams/${stream}/subscriptions/${name}`)).status, 204)
  }
})

t.test('the subscriptions of a super stream belong to who may read all its partitions', async (t) => {
  const whole = loginOf('whole')
  const part = loginOf('part')
  const path = '/super-streams/sales/subscriptions'
  t.match((await ask(stranger, 'PUT', `${path}/a`, { url })).json, REFUSED)
  t.match((await ask(part, 'PUT', `${path}/a`, { url })).json, REFUSED)
  t.equal((await ask(whole, 'PUT', `${path}/a`, { url, paused: true })).status, 201)
  for (const headers of [stranger, part]) {
    t.match((await ask(headers, 'GET', `${path}/a`)).json, REFUSED)
    t.match((await ask(headers, 'GET', path)).json, REFUSED)
    t.match((await ask(headers, 'GET', '/subscriptions')).json, { subscriptions: exactly() })
  }
  t.match((await ask(whole, 'GET', '/subscriptions')).json, { subscriptions: exactly({ superStream: 'sales' }) })
})

t.test('a secret and a header of one user are shown to no other, nor sent where another one wants', async (t) => {
  const headers = { authorization: 'Bearer of-the-maker' }
  const path = '/streams/orders/subscriptions/sealed'
  const created = await put(maker, 'orders', 'sealed', { headers, paused: true })
  const secret = /whsec_[^"]+/.exec(created.text)?.[0] ?? 'no secret'
  for (const method of ['GET', 'PATCH'] as const) {
    const { text, json } = await ask(writer, method, path, ...method === 'PATCH' ? [{ timeoutMs: 2000 }] : [])
    t.match(json, { headers: { authorization: '***' }, secrets: exactly('***') })
    t.notOk(text.includes('of-the-maker') || text.includes(secret), method)
  }
  const other = await startReceiver(t)
  const moved = await ask(writer, 'PATCH', path, { url: other.url })
  t.match(moved.json, { status: 400, errors: exactly({ pointer: '/headers/authorization' }) })
  const replaced = await put(writer, 'orders', 'sealed', { url: other.url, headers: { authorization: '***' } })
  t.match(replaced.json, { status: 400, errors: exactly({ pointer: '/headers/authorization' }) })
  const sameServer = await ask(writer, 'PATCH', path, { url: `${url}/elsewhere` })
  t.equal(sameServer.status, 200, 'another path is the same server')
  const given = { url: other.url, headers: { authorization: 'Bearer of-the-writer' } }
  t.equal((await ask(writer, 'PATCH', path, given)).status, 200)
  t.match((await ask(writer, 'POST', `${path}/test`)).json, { isDelivered: true })
  t.match(other.deliveries, exactly({ headers: { authorization: 'Bearer of-the-writer' } }))
})

t.test('deliveries go with the account of the gateway, also when the user who asked for them is gone', async (t) => {
  const own = await startReceiver(t)
  const given = { url: own.url, start: 'first', retry: { messageAttempts: 1 } }
  t.equal((await put(loginOf('leaver'), 'orders', 'kept', given)).status, 201)
  await ask(admin, 'POST', '/streams/orders/messages', { messages: [{ body: 1 }] })
  await own.received(1)
  await node.ctl('delete_user', 'leaver')
  own.react(422)
  await ask(admin, 'POST', '/streams/orders/messages', { messages: [{ body: 2 }] })
  await own.received(2)
  await until('the error entry', async () => {
    const { json } = await ask(admin, 'GET', '/streams/orders_errors/messages')
    return JSON.stringify(json).includes('"x-push-subscription":"kept"')
  })
  t.match((await ask(reader, 'GET', '/streams/orders/subscriptions/kept')).json, { status: { storedOffset: Number } })
  const answer = await ask(loginOf('leaver'), 'GET', '/streams/orders/subscriptions/kept')
  t.ok(answer.status === 401 || answer.status === 403, `the user itself gets ${answer.status}`)
})

t.test('a permission that is taken away ends what its user may do with a subscription', async (t) => {
  const path = '/streams/orders/subscriptions/known'
  const passing = loginOf('passing')
  t.equal((await ask(passing, 'POST', `${path}/pause`)).status, 200)
  await node.ctl('set_permissions', 'passing', '^$', '_errors$', '^bills')
  t.match((await ask(passing, 'GET', path)).json, REFUSED)
  t.match((await ask(passing, 'POST', `${path}/resume`)).json, REFUSED)
  t.match((await ask(passing, 'GET', '/subscriptions')).json, { subscriptions: exactly() })
})

t.test('no log line shows a password, a header or a secret', async (t) => {
  t.notMatch(JSON.stringify(gateway.log), /makermaker|of-the-maker|of-the-writer|whsec_/)
})
