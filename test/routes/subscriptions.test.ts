import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { newSource, opened } from '../support/subscriptions.ts'

const gateway = await startPushGateway(t)
const url = 'https://hooks.example.com/orders'
const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
const OTHER = `whsec_${Buffer.alloc(24, 9).toString('base64')}`

t.test('a subscription with nothing but a URL has every default, and a secret that is shown once', async (t) => {
  const { path, stream, kept } = await newSource(t, gateway)
  const created = await gateway.request('PUT', `${path}/billing`, { json: { url } })
  t.equal(created.status, 201)
  t.match(created.json, {
    stream,
    subscription: 'billing',
    url,
    start: 'next',
    ordering: 'stream',
    orderingKey: null,
    concurrency: 1,
    batch: { maxMessages: 1, maxBytes: 262_144, maxWaitMs: 0 },
    format: 'message',
    filter: { filterValues: exactly(), matchUnfiltered: false },
    timeoutMs: 15_000,
    retry: {
      initialDelayMs: 1000,
      maxDelayMs: 600_000,
      factor: 2,
      maxAttempts: 10,
      messageAttempts: 3,
      maxOutageSeconds: 259_200
    },
    onFailure: 'errorStream',
    errorStream: `${stream}_errors`,
    maxConsecutiveFailures: 20,
    commit: { everyMs: 1000, everyMessages: 1000 },
    headers: {},
    secrets: exactly(/^whsec_[A-Za-z0-9+/]{43}=$/),
    consumer: 'push.billing',
    paused: false
  })
  const read = await gateway.get(`${path}/billing`)
  t.equal(read.status, 200)
  t.equal(read.headers['etag'], created.headers['etag'])
  t.match(read.json, { secrets: exactly('***'), version: Number(String(read.headers['etag']).slice(1, -1)) })
  const subscription = await kept('billing')
  t.match(created.json, { secrets: exactly(opened(subscription, subscription.definition.secrets[0]?.sealed)) })
})

t.test('the error stream is created with the retention of the source; one that exists stays as it is', async (t) => {
  const { path, stream } = await newSource(t, gateway, { maxAge: '7D', maxLengthBytes: 5_000_000 })
  await gateway.request('PUT', `${path}/a`, { json: { url } })
  t.match((await gateway.get(`/v1/streams/${stream}_errors`)).json, {
    arguments: { maxAge: '7D', maxLengthBytes: 5_000_000 }
  })
  const other = await gateway.newStream(t, { maxAge: '1D' })
  const given = { url, errorStream: other }
  t.match((await gateway.request('PUT', `${path}/b`, { json: given })).json, { errorStream: other })
  t.match((await gateway.get(`/v1/streams/${other}`)).json, { arguments: { maxAge: '1D' } })
})

t.test('a subscription that drops or pauses needs no error stream', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  for (const onFailure of ['drop', 'pause']) {
    t.equal((await gateway.request('PUT', `${path}/${onFailure}`, { json: { url, onFailure } })).status, 201)
  }
  t.equal((await gateway.get(`/v1/streams/${stream}_errors`)).status, 404)
})

t.test('what an answer shows can be put back, and changes nothing', async (t) => {
  const { path, kept } = await newSource(t, gateway)
  const given = { url, headers: { Authorization: 'Bearer abc' }, secrets: [SECRET], paused: true, start: { offset: 3 } }
  await gateway.request('PUT', `${path}/a`, { json: given })
  const before = await kept('a')
  const shown = record((await gateway.get(`${path}/a`)).json)
  t.match(shown, { headers: { authorization: '***' }, secrets: exactly('***'), paused: true })
  const again = await gateway.request('PUT', `${path}/a`, { json: shown })
  t.equal(again.status, 200)
  const { version: _version, status: _status, ...rest } = shown
  t.match(again.json, rest)
  const after = await kept('a')
  t.same({ ...after.definition, headers: {}, secrets: [] }, { ...before.definition, headers: {}, secrets: [] })
  t.equal(opened(after, after.definition.headers['authorization']), 'Bearer abc')
  t.equal(opened(after, after.definition.secrets[0]?.sealed), SECRET)
})

t.test('a PUT that leaves them out keeps the secrets and the pause, and drops everything else', async (t) => {
  const { path, kept } = await newSource(t, gateway)
  const given = { url, secrets: [SECRET], paused: true, timeoutMs: 5000, headers: { a: 'b' } }
  await gateway.request('PUT', `${path}/a`, { json: given })
  const { json } = await gateway.request('PUT', `${path}/a`, { json: { url: `${url}/2` } })
  t.match(json, { url: `${url}/2`, secrets: exactly('***'), paused: true, timeoutMs: 15_000 })
  t.same(record(json)['headers'], {})
  const subscription = await kept('a')
  t.equal(opened(subscription, subscription.definition.secrets[0]?.sealed), SECRET)
})

t.test('secrets that are given replace the others, or join them', async (t) => {
  const { path, kept } = await newSource(t, gateway)
  const secretsOf = async (): Promise<Array<string | undefined>> => {
    const subscription = await kept('a')
    return subscription.definition.secrets.map(({ sealed }) => opened(subscription, sealed))
  }
  await gateway.request('PUT', `${path}/a`, { json: { url, secrets: [SECRET] } })
  await gateway.request('PUT', `${path}/a`, { json: { url, secrets: [OTHER, '***'] } })
  t.same(await secretsOf(), [OTHER, SECRET])
  t.match((await gateway.get(`${path}/a`)).json, { secrets: exactly('***', '***') })
  await gateway.request('PUT', `${path}/a`, { json: { url, secrets: [SECRET] } })
  t.same(await secretsOf(), [SECRET])
})

t.test('a patch changes what it names, and null is the default', async (t) => {
  const { path, kept } = await newSource(t, gateway)
  const given = { url, timeoutMs: 5000, headers: { a: '1', b: '2' }, batch: { maxMessages: 5, maxWaitMs: 10 } }
  await gateway.request('PUT', `${path}/a`, { json: given })
  const patched = await gateway.request('PATCH', `${path}/a`, {
    body: JSON.stringify({ timeoutMs: null, headers: { A: null, C: '3' }, batch: { maxMessages: 7 } }),
    headers: { 'content-type': 'application/merge-patch+json' }
  })
  t.equal(patched.status, 200)
  t.match(patched.json, { timeoutMs: 15_000, batch: { maxMessages: 7, maxWaitMs: 10 }, url })
  t.same(record(patched.json)['headers'], { b: '***', c: '***' })
  const subscription = await kept('a')
  t.equal(opened(subscription, subscription.definition.headers['b']), '2')
  t.equal(opened(subscription, subscription.definition.headers['c']), '3')
  for (const [json, pointer] of [
    [{ url: null }, '/url'], [{ timeoutMs: 1 }, '/timeoutMs'], [{ batch: { maxMessage: 1 } }, '/batch/maxMessage'],
    [{ orderingKey: 'properties.groupId' }, '/orderingKey']
  ] as const) {
    const refused = await gateway.request('PATCH', `${path}/a`, { json })
    t.match(refused.json, { code: 'validation_failed', errors: exactly({ pointer }) })
  }
  t.match((await gateway.request('PATCH', `${path}/b`, { json: {} })).json, { code: 'subscription_not_found' })
  const form = { body: 'a=1', headers: { 'content-type': 'application/x-www-form-urlencoded' } }
  t.equal((await gateway.request('PATCH', `${path}/a`, form)).status, 415)
})

t.test('a change with a condition is made only while the condition holds', async (t) => {
  const { path } = await newSource(t, gateway)
  const put = async (headers: Record<string, string>) =>
    await gateway.request('PUT', `${path}/a`, { json: { url }, headers })
  const differs = { status: 412, code: 'subscription_version_differs' }
  t.match((await put({ 'if-match': '*' })).json, { ...differs, version: null })
  t.match((await put({ 'if-match': '"3"' })).json, { ...differs, version: null })
  const created = await put({ 'if-none-match': '*' })
  t.equal(created.status, 201)
  const { version } = record(created.json)
  t.match((await put({ 'if-none-match': '*' })).json, { ...differs, version })
  const changed = await put({ 'if-match': `"0", "${String(version)}"` })
  t.equal(changed.status, 200)
  const old = { 'if-match': String(created.headers['etag']) }
  const { version: now } = record(changed.json)
  t.match((await put(old)).json, { ...differs, version: now })
  t.match((await put({ 'if-match': `W/"${String(now)}"` })).json, differs, 'a weak tag matches nothing')
  t.match((await gateway.request('PATCH', `${path}/a`, { json: {}, headers: old })).json, differs)
  t.match((await gateway.request('DELETE', `${path}/a`, { headers: old })).json, differs)
  t.match((await gateway.request('POST', `${path}/a/secrets`, { headers: old })).json, differs)
  t.equal((await put({ 'if-match': '3' })).status, 400)
  t.equal((await put({ 'if-none-match': '"3"' })).status, 400)
  const current = { 'if-match': String(changed.headers['etag']) }
  const deleted = await gateway.request('DELETE', `${path}/a`, { headers: current })
  t.equal(deleted.status, 204)
  t.match((await gateway.get(`${path}/a`)).json, { status: 404, code: 'subscription_not_found' })
  t.match((await gateway.request('DELETE', `${path}/a`)).json, { status: 404, code: 'subscription_not_found' })
})

t.test('changes that meet are all made, unless a condition says otherwise', async (t) => {
  const { path } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url } })
  const names = ['a', 'b', 'c', 'd', 'e']
  const answers = await Promise.all(names.map(async (name) =>
    await gateway.request('PATCH', `${path}/a`, { json: { headers: { [name]: '1' } } })))
  t.same(answers.map(({ status }) => status), names.map(() => 200))
  t.same(Object.keys(record(record((await gateway.get(`${path}/a`)).json)['headers'])).sort(), names)
})

t.test('a secret is replaced, and the old one signs along for a while', async (t) => {
  const { path, kept } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url, secrets: [SECRET] } })
  const before = Date.now()
  const { json, headers } = await gateway.request('POST', `${path}/a/secrets`)
  const { secret, version, oldSecretsUntil } = record(json)
  t.equal(headers['etag'], `"${String(version)}"`)
  const untilMs = Date.parse(String(oldSecretsUntil)) - before
  t.ok(untilMs >= 86_400_000 && untilMs < 86_500_000)
  const subscription = await kept('a')
  t.same(
    subscription.definition.secrets.map(({ sealed, until }) => [opened(subscription, sealed), until]),
    [[secret, null], [SECRET, Date.parse(String(oldSecretsUntil))]]
  )
  const now = await gateway.request('POST', `${path}/a/secrets`, { json: { secret: OTHER, overlapSeconds: 0 } })
  t.match(now.json, { secret: OTHER, oldSecretsUntil: null })
  t.match((await gateway.get(`${path}/a`)).json, { secrets: exactly('***') })
  const bad = await gateway.request('POST', `${path}/a/secrets`, { json: { secret: 'whsec_c2hvcnQ=' } })
  t.match(bad.json, { code: 'validation_failed', errors: exactly({ pointer: '/secret' }) })
})

t.test('lists have the subscriptions of a stream, and of all streams, page by page', async (t) => {
  const one = await newSource(t, gateway)
  const two = await newSource(t, gateway)
  for (const name of ['a', 'b', 'c']) await gateway.request('PUT', `${one.path}/${name}`, { json: { url } })
  await gateway.request('PUT', `${two.path}/a`, { json: { url } })
  const named = (subscription: string, stream = one.stream) => ({ stream, subscription, secrets: exactly('***') })
  const first = await gateway.get(`${one.path}?limit=2`)
  t.match(first.json, { subscriptions: exactly(named('a'), named('b')), nextCursor: /./ })
  const cursor = String(record(first.json)['nextCursor'])
  t.match((await gateway.get(`${one.path}?limit=2&cursor=${cursor}`)).json, {
    subscriptions: exactly(named('c')), nextCursor: null
  })
  const all = new Set<string>()
  let next = ''
  do {
    const { json } = await gateway.get(`/v1/subscriptions?limit=3${next}`)
    for (const item of list(record(json)['subscriptions'])) {
      const { stream, subscription } = record(item)
      all.add(`${String(stream)} ${String(subscription)}`)
    }
    const { nextCursor } = record(json)
    next = nextCursor === null ? '' : `&cursor=${String(nextCursor)}`
  } while (next !== '')
  for (const name of ['a', 'b', 'c']) t.ok(all.has(`${one.stream} ${name}`))
  t.ok(all.has(`${two.stream} a`))
  t.match((await gateway.get('/v1/subscriptions?cursor=abc')).json, { errors: exactly({ pointer: '/query/cursor' }) })
})

t.test('the subscriptions of a stream that is deleted are still there to be deleted', async (t) => {
  const { path, stream } = await newSource(t, gateway)
  await gateway.request('PUT', `${path}/a`, { json: { url } })
  await gateway.request('DELETE', `/v1/streams/${stream}`)
  t.match((await gateway.get(path)).json, { subscriptions: exactly({ subscription: 'a', status: { lag: null } }) })
  t.equal((await gateway.request('DELETE', `${path}/a`)).status, 204)
})
