import { randomUUID } from 'node:crypto'
import { exactly } from '../support/exactly.ts'
import t, { type Test } from 'tap'
import type { Answer, Gateway } from '../support/gateway.ts'
import { adminKey, keyFile, newKey, startKeyedGateway, type TestKey } from '../support/keyed-gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

const inMs = (ms: number): string => new Date(Date.now() + ms).toISOString()

async function newStream (t: Test, { request }: Gateway, { headers }: TestKey, prefix = 'test'): Promise<string> {
  const stream = `${prefix}-${randomUUID()}`
  const { status, text } = await request('PUT', `/v1/streams/${stream}`, { headers })
  if (status !== 201) throw new Error(`the stream could not be created: ${text}`)
  t.teardown(async () => { await request('DELETE', `/v1/streams/${stream}`, { headers }).catch(() => {}) })
  return stream
}

async function metric (gateway: Gateway, admin: TestKey, name: string): Promise<string | undefined> {
  const { text } = await gateway.get('/metrics', admin.headers)
  return new RegExp(`^rabbitmq_stream_gateway_${name}(?:{[^}]*})? (.*)$`, 'm').exec(text)?.[1]
}

t.test('a key is taken as a Bearer token and as the password of any Basic user', async (t) => {
  const key = newKey({ scopes: ['read:*/orders*'], consumers: ['b*'] })
  const { gateway } = await startKeyedGateway(t, key)
  const basic = `Basic ${Buffer.from(`anybody:${key.key}`).toString('base64')}`
  for (const authorization of [key.headers.authorization, basic]) {
    const { status, json } = await gateway.get('/v1/whoami', { authorization })
    t.equal(status, 200)
    t.match(json, { caller: 'billing', scheme: 'api-key' })
  }
  const requests = gateway.log.filter(({ msg }) => msg === 'request')
  t.same(requests.map(({ caller, scheme }) => [caller, scheme]), [['billing', 'api-key'], ['billing', 'api-key']])
})

t.test('whatever is wrong with a key, its caller reads one text, and the log never has the key', async (t) => {
  const [good, disabled, early, late] =
    [newKey(), newKey({ disabled: true }), newKey({ notBefore: inMs(60_000) }), newKey({ expires: inMs(-1000) })]
  const { gateway } = await startKeyedGateway(t, good, disabled, early, late)
  const last = good.key.at(-1) === 'a' ? 'b' : 'a'
  const wrong = [
    good.key.slice(0, -1) + last, newKey().key, `${good.key.slice(0, 13)}${newKey().key.slice(13)}`, 'sgw_',
    good.key.slice(0, -1), `${good.key}a`, good.entry.hash.slice(7), disabled.key, early.key, late.key
  ]
  const texts = new Set<unknown>()
  for (const key of wrong) {
    const { status, json, headers } = await gateway.get('/v1/streams', { authorization: `Bearer ${key}` })
    t.equal(status, 401, key)
    t.match(json, { code: 'unauthorized' })
    t.match([headers['www-authenticate']].flat().join(), /error="invalid_token"/)
    texts.add(Object(json).detail)
  }
  t.same([...texts], ['the credential is not valid'])
  t.equal((await gateway.get('/v1/whoami', good.headers)).status, 200)
  const log = JSON.stringify(gateway.log)
  t.ok(log.includes(`API key ${late.entry.id} has expired`), 'but whoever reads the audit log learns which key it was')
  for (const key of [...wrong, good.key]) {
    if (key.length > 4) t.notOk(log.includes(key.slice(13)), 'no key in the log')
  }
  for (const { entry } of [good, disabled, early, late]) t.notOk(log.includes(entry.hash.slice(7, 30)), 'nor a hash')
})

t.test('two credentials are refused, also when both are good', async (t) => {
  const key = newKey()
  const { gateway } = await startKeyedGateway(t, key)
  const raw = await openRaw(t, gateway.port)
  const header = `authorization: ${key.headers.authorization}\r\n`
  raw.send(`GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\n${header}${header}connection: close\r\n\r\n`)
  t.match(await raw.closed(), /^HTTP\/1\.1 400 /)
})

t.test('a key allows its verbs on its streams, to its consumers and its publishers, and nothing else', async (t) => {
  const admin = adminKey()
  const key = newKey({
    scopes: ['read:*/orders-*', 'write:*/out-*'], consumers: ['billing*'], publishers: ['billing-*']
  })
  const { gateway } = await startKeyedGateway(t, admin, key)
  const orders = await newStream(t, gateway, admin, 'orders')
  const out = await newStream(t, gateway, admin, 'out')
  const { headers } = key
  const json = { messages: [{ body: 1 }] }
  const publish = (stream: string) => gateway.request('POST', `/v1/streams/${stream}/messages`, { headers, json })
  const publishAs = (publisher: string) => gateway.request(
    'POST', `/v1/streams/${out}/messages?publisher=${publisher}`, {
      headers, json: { messages: [{ body: 1, publishingId: 1 }] }
    }
  )
  const store = (consumer: string) => gateway.request(
    'PUT', `/v1/streams/${orders}/consumers/${consumer}/offset`, { headers, json: { offset: 0 } }
  )
  await gateway.request('POST', `/v1/streams/${orders}/messages`, { headers: admin.headers, json })

  const allowed: Answer[] = [
    await gateway.get(`/v1/streams/${orders}/messages?offset=first`, headers),
    await gateway.get(`/v1/streams/${orders}`, headers),
    await gateway.get(`/v1/streams/${out}`, headers),
    await publish(out),
    await publishAs('billing-1'),
    await gateway.get(`/v1/streams/${orders}/consumers/billing/messages`, headers),
    await gateway.get(`/v1/streams/${orders}/consumers/other/offset`, headers)
  ]
  t.same(allowed.map(({ status }) => status), [200, 200, 200, 200, 200, 200, 404])
  t.equal((await store('billing')).status, 200)

  const refused: Array<[Answer, RegExp]> = [
    [await publish(orders), /write/],
    [await gateway.get(`/v1/streams/${out}/messages?offset=first`, headers), /read/],
    [await gateway.get(`/v1/streams/${out}/publishers`, headers), /read/],
    [await gateway.request('DELETE', `/v1/streams/${orders}`, { headers }), /configure/],
    [await gateway.request('PUT', '/v1/streams/orders-mine', { headers }), /configure/],
    [await gateway.get('/v1/streams/nobody-knows', headers), /read/],
    [await publishAs('other'), /publisher/],
    [await publishAs('Billing-1'), /publisher/],
    [await gateway.get(`/v1/streams/${orders}/consumers/other/messages`, headers), /consumer/],
    [await store('other'), /consumer/],
    [await gateway.get('/metrics', headers), /monitor/]
  ]
  for (const [{ status, json }, detail] of refused) {
    t.equal(status, 403)
    t.match(json, { code: 'access_refused', detail })
  }
})

t.test('what a removed key has under way ends with 401 within a second, and nothing else ends', async (t) => {
  const [admin, old, fresh] = [adminKey(), adminKey(), adminKey()]
  const { gateway, replaceFile } = await startKeyedGateway(t, admin, old, fresh)
  const path = `/v1/streams/${await newStream(t, gateway, admin)}`
  const published = `/v1/streams/${await newStream(t, gateway, admin)}`
  const poll = (key: TestKey, path: string): Promise<Answer> => gateway.get(path, key.headers)
  let stop = (): void => {}
  async function * body (): AsyncGenerator<Buffer> {
    yield Buffer.from('stored\n')
    await new Promise<void>((resolve) => { stop = resolve })
  }
  t.teardown(() => { stop() })
  const ending = [
    poll(old, `${path}/messages?offset=next&wait=30`),
    poll(old, `${path}/consumers/c/messages?wait=30`),
    gateway.request('POST', `${published}/messages/lines`, {
      headers: { ...old.headers, 'content-type': 'text/plain' }, body: body()
    })
  ]
  const staying = poll(fresh, `${path}/messages?offset=next&wait=30`)
  await until('the line is stored', async () => {
    const { json } = await gateway.get(`${published}/messages?offset=first`, admin.headers)
    return Object(json).messages?.length === 1
  })
  const begunMs = performance.now()
  await replaceFile(keyFile(admin, fresh))
  const reloadedMs = performance.now()
  const answers = await Promise.all(ending)
  t.ok(performance.now() - reloadedMs < 1000, 'within a second of the reload')
  t.ok(reloadedMs - begunMs < 3000, 'which comes within AUTH_RELOAD_SECONDS')
  for (const { status, json } of answers) {
    t.equal(status, 401)
    t.match(json, { code: 'unauthorized' })
  }
  t.match(answers[2]?.json, { sideEffects: 'possible' }, 'the line was stored')
  t.equal((await gateway.get('/v1/whoami', old.headers)).status, 401)
  await gateway.request('POST', `${path}/messages/lines`, {
    headers: { ...admin.headers, 'content-type': 'text/plain' }, body: 'news'
  })
  const { status, text } = await staying
  t.equal(status, 200)
  t.match(text, 'news')
})

t.test('a waiting read ends when its key expires', async (t) => {
  const admin = adminKey()
  const short = newKey({ expires: inMs(2500) })
  const { gateway } = await startKeyedGateway(t, admin, short)
  const stream = await newStream(t, gateway, admin)
  const { status, json } = await gateway.get(`/v1/streams/${stream}/messages?offset=next&wait=30`, short.headers)
  t.equal(status, 401)
  t.match(json, { code: 'unauthorized' })
  const lateMs = Date.now() - Date.parse(short.entry.expires ?? '')
  t.ok(lateMs >= 0 && lateMs < 1000, `${lateMs} ms late`)
})

t.test('a broken file changes nothing, and the metric and the log say so until it is mended', async (t) => {
  const [admin, next] = [adminKey(), newKey()]
  const { gateway, path, replaceFile } = await startKeyedGateway(t, admin)
  t.equal(await metric(gateway, admin, 'reload_ok'), '1')
  await replaceFile(keyFile(admin, { ...next, entry: { ...next.entry, scopes: ['reed:*/*'] } }))
  t.equal((await gateway.get('/v1/whoami', admin.headers)).status, 200)
  t.equal((await gateway.get('/v1/whoami', next.headers)).status, 401)
  t.equal(await metric(gateway, admin, 'reload_ok'), '0')
  t.match(gateway.log.find(({ level }) => level === 50), {
    setting: 'API_KEYS_PATH', paths: exactly(path), reason: '/keys/1/scopes/0 is not a scope such as read:*/orders*'
  })
  await replaceFile(keyFile(admin, next))
  t.same(gateway.log.filter(({ event }) => event === 'keys.reloaded').map(({ keys }) => keys), [2])
  t.equal((await gateway.get('/v1/whoami', next.headers)).status, 200)
  t.equal(await metric(gateway, admin, 'reload_ok'), '1')
})

t.test('a key is replaced by another of the same name, and no request is refused', async (t) => {
  const [old, fresh] = [newKey(), newKey()]
  const others = Array.from({ length: 1000 }, () => newKey())
  const { gateway, replaceFile } = await startKeyedGateway(t, old)
  let current = old
  const over = new AbortController()
  const statuses = new Map<number, number>()
  const calling = (async () => {
    while (!over.signal.aborted) {
      const { status } = await gateway.get('/v1/whoami', current.headers)
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })()
  await replaceFile(keyFile(old, fresh, ...others))
  current = fresh
  await replaceFile(keyFile(fresh, ...others))
  await replaceFile(keyFile(...others, fresh))
  over.abort()
  await calling
  t.same([...statuses.keys()], [200])
  t.equal((await gateway.get('/v1/whoami', old.headers)).status, 401)
})
