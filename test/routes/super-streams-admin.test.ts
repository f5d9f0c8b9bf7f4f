import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { manage, newSuperStream } from '../support/super-streams.ts'

const gateway = await startGateway(t)

/** A name for a super stream, which is deleted with the test. */
function newName (t: Test, prefix = 'orders'): string {
  const name = `${prefix}-${randomUUID()}`
  t.teardown(async () => { await gateway.request('DELETE', `/v1/super-streams/${name}`) })
  return name
}

const create = async (name: string, json: object) => await gateway.request('PUT', `/v1/super-streams/${name}`, { json })

t.test('a super stream is created, described, found in the list and deleted with all its partitions', async (t) => {
  const name = newName(t)
  const partitions = [`${name}-0`, `${name}-1`, `${name}-2`]
  const created = await create(name, { partitions: 3, maxAge: '7D' })
  t.match(created, { status: 201 })
  t.same(created.json, { name, partitions })
  t.match(await create(name, { partitions: 3 }), { status: 200, json: { name } })

  const described = record((await gateway.get(`/v1/super-streams/${name}`)).json)
  t.equal(described['name'], name)
  t.same(list(described['partitions']).map((entry) => record(entry)['partition']), partitions)
  for (const [index, entry] of list(described['partitions']).entries()) {
    t.match(entry, {
      bindingKey: String(index), firstOffset: 0, nextOffset: 0, leader: /:/, arguments: { maxAge: '7D' }
    })
  }
  const page = await gateway.get(`/v1/super-streams?prefix=${name}`)
  t.same(page.json, { superStreams: [name], nextCursor: null })
  t.equal((await gateway.request('DELETE', `/v1/super-streams/${name}`)).status, 204)
  t.match((await gateway.get(`/v1/super-streams/${name}`)).json, { status: 404, code: 'super_stream_not_found' })
  for (const partition of partitions) t.equal((await gateway.get(`/v1/streams/${partition}`)).status, 404)
  t.match(await gateway.request('DELETE', `/v1/super-streams/${name}`), { status: 404 })
})

t.test('binding keys name the partitions, in the order in which they are given', async (t) => {
  const name = newName(t)
  t.match(await create(name, { bindingKeys: ['us', 'eu', 'asia-pacific', 'Zürich'] }), { status: 201 })
  const { partitions } = record((await gateway.get(`/v1/super-streams/${name}`)).json)
  t.same(list(partitions).map((entry) => record(entry)['bindingKey']), ['us', 'eu', 'asia-pacific', 'Zürich'])
  t.equal((await gateway.get(`/v1/streams/${name}-asia-pacific`)).status, 200)
  const refused = await gateway.request('DELETE', `/v1/streams/${name}-asia-pacific`)
  t.match(refused.json, { code: 'stream_is_partition', superStream: name })
})

t.test('creating it with other arguments is refused, and what is not given is not compared', async (t) => {
  const name = newName(t)
  t.equal((await create(name, { bindingKeys: ['us', 'eu'], maxAge: '7D', maxLengthBytes: 10_000_000 })).status, 201)
  const { json } = await create(name, { bindingKeys: ['us', 'eu'], maxAge: '8D' })
  t.match(json, { status: 409, code: 'stream_arguments_differ', partition: `${name}-us`, sideEffects: 'none' })
  t.match(record(json)['detail'], 'the stream exists with other values of: maxAge')
  const partitions = [`${name}-us`, `${name}-eu`]
  for (const args of [{}, { maxAge: '7D' }, { maxAge: '7D', maxLengthBytes: 10_000_000 }]) {
    const same = await create(name, { bindingKeys: ['eu', 'us'], ...args })
    t.match(same, { status: 200, json: { name, partitions } }, 'in the order that decides where a key goes')
  }
})

t.test('creating it with other partitions is refused, and the answer names the difference', async (t) => {
  const name = newName(t)
  await create(name, { partitions: 2 })
  const fewer = await create(name, { partitions: 1 })
  t.match(fewer.json, { status: 409, code: 'super_stream_differs', sideEffects: 'none' })
  t.match(record(fewer.json)['detail'], `it has "${name}-1" besides`)
  const other = record((await create(name, { bindingKeys: ['0', 'x'] })).json)
  t.match(other['detail'], `it lacks "${name}-x"; it has "${name}-1" besides`)
  t.same(other['partitions'], [`${name}-0`, `${name}-1`])
})

t.test('requests that create the same super stream at the same time all succeed', async (t) => {
  const name = newName(t)
  const answers = await Promise.all([1, 2, 3, 4].map(async () => await create(name, { partitions: 8 })))
  t.same(answers.map(({ status }) => status).sort(), [200, 200, 200, 201])
})

t.test('streams that a creation left behind are named, and after their deletion it succeeds', async (t) => {
  const name = newName(t)
  t.equal((await gateway.request('PUT', `/v1/streams/${name}-1`)).status, 201)
  const refused = await create(name, { partitions: 3 })
  t.match(refused.json, { status: 409, code: 'super_stream_differs', partitions: exactly(`${name}-1`) })
  t.equal(record(refused.json)['detail'], 'no super stream has these streams, which have the names of its ' +
    `partitions: "${name}-1". A creation that was cut short leaves such streams: delete them first`)
  t.equal((await gateway.get(`/v1/streams/${name}-0`)).status, 404, 'nothing of it was created')
  t.equal((await gateway.request('DELETE', `/v1/streams/${name}-1`)).status, 204)
  t.equal((await create(name, { partitions: 3 })).status, 201)
})

t.test('a super stream without any partition can be deleted, and other exchanges cannot', async (t) => {
  const name = newName(t)
  await newSuperStream(t, name, [])
  t.match(await create(name, { partitions: 1 }), { json: { status: 409, code: 'super_stream_differs' } })
  t.match(await gateway.get(`/v1/super-streams/${name}`), { json: { code: 'super_stream_not_found' } })
  t.equal((await gateway.request('DELETE', `/v1/super-streams/${name}`)).status, 204)
  t.equal((await create(name, { partitions: 1 })).status, 201)

  const exchange = `exchange-${randomUUID()}`
  await manage('PUT', `exchanges/%2f/${exchange}`, { type: 'direct', durable: true })
  t.teardown(async () => { await manage('DELETE', `exchanges/%2f/${exchange}`) })
  t.match(await gateway.request('DELETE', `/v1/super-streams/${exchange}`), { json: { status: 404 } })
  await newSuperStream(t, `bound-${exchange}`, [`archive-${exchange}`])
  const bound = await gateway.request('DELETE', `/v1/super-streams/bound-${exchange}`)
  t.match(bound.json, { code: 'super_stream_not_found' })
  t.equal((await gateway.get(`/v1/streams/archive-${exchange}`)).status, 200)
})

t.test('a stream is no super stream, and its name is not given to one', async (t) => {
  const stream = await gateway.newStream(t)
  const detail = 'this is a stream and not a super stream: use /v1/streams/{stream}'
  t.match((await gateway.get(`/v1/super-streams/${stream}`)).json, { code: 'super_stream_not_found', detail })
  t.match((await create(stream, { partitions: 1 })).json, { code: 'super_stream_differs' })
})

t.test('a super stream has as many partitions as SUPER_STREAM_MAX_PARTITIONS allows', async (t) => {
  const name = newName(t)
  t.match((await create(name, { partitions: 65 })).json, {
    status: 400, code: 'validation_failed', detail: /may have 64 partitions, by SUPER_STREAM_MAX_PARTITIONS/
  })
  const small = await startGateway(t, { SUPER_STREAM_MAX_PARTITIONS: '2' })
  const keys = await small.request('PUT', `/v1/super-streams/${name}`, { json: { bindingKeys: ['a', 'b', 'c'] } })
  t.match(keys.json, { status: 400, detail: /SUPER_STREAM_MAX_PARTITIONS/ })
  for (const json of [
    {}, { partitions: 1, bindingKeys: ['a'] }, { partitions: 0 }, { bindingKeys: [] }, { bindingKeys: ['a', 'a'] },
    { bindingKeys: [''] }, { bindingKeys: ['é'.repeat(128)] }, { bindingKeys: ['a\n'] }, { partitions: 1, maxAge: 'x' }
  ]) {
    t.match((await create(name, json)).json, { status: 400, code: 'validation_failed' }, JSON.stringify(json))
  }
  t.match(await create('x'.repeat(199), { partitions: 1 }), { status: 400 }, 'the name of a partition is too long')
})

t.test('the names are those of the API, also where the pattern has something after the name', async (t) => {
  for (const pattern of ['shop_{name}', '{name}.shop', 'a-{name}-b']) {
    const shop = await startGateway(t, { STREAM_NAME_PATTERN: pattern })
    const name = `invoices-${randomUUID()}`
    const path = `/v1/super-streams/${name}`
    t.match(await shop.request('PUT', path, { json: { partitions: 2 } }), { status: 201 }, pattern)
    t.same(record((await shop.get(`/v1/streams/${name}`)).json)['partitions'], [`${name}-0`, `${name}-1`])
    t.match(await shop.request('DELETE', `/v1/streams/${name}-1`), { json: { superStream: name } })
    const described = record((await shop.get(path)).json)
    t.match(list(described['partitions'])[1], { partition: `${name}-1`, bindingKey: '1' })
    t.same((await shop.get(`/v1/super-streams?prefix=${name}`)).json, { superStreams: [name], nextCursor: null })
    t.equal((await shop.request('DELETE', path)).status, 204)
    t.equal((await shop.get(`/v1/streams/${name}-1`)).status, 404)
  }
})

t.test('a key needs its right on the super stream and on each partition', async (t) => {
  const name = newName(t)
  const whole = newKey({ scopes: [`configure:*/${name}`, `configure:*/${name}-*`] })
  const half = newKey({ scopes: [`configure:*/${name}`, `configure:*/${name}-0`] })
  const reader = newKey({ scopes: [`read:*/${name}`, `read:*/${name}-*`] })
  const halfReader = newKey({ scopes: [`read:*/${name}`, `read:*/${name}-1`] })
  const { gateway } = await startKeyedGateway(t, whole, half, reader, halfReader)
  const path = `/v1/super-streams/${name}`
  const json = { partitions: 2 }
  const detail = `the caller has no "configure" on the stream "${name}-1"`
  const refused = { status: 403, code: 'access_refused', detail }
  t.match((await gateway.request('PUT', path, { json, headers: half.headers })).json, refused)
  t.match(await gateway.request('PUT', path, { json, headers: whole.headers }), { status: 201 })
  t.match((await gateway.request('DELETE', path, { headers: half.headers })).json, refused)
  t.match(await gateway.get(path, reader.headers), { status: 200 })
  t.match((await gateway.get(path, halfReader.headers)).json, {
    status: 403, detail: `the caller has no "read" or "write" on the stream "${name}-0"`
  })
  t.same((await gateway.get('/v1/super-streams', reader.headers)).json, { superStreams: [name], nextCursor: null })
  t.same((await gateway.get('/v1/super-streams', whole.headers)).json, { superStreams: [], nextCursor: null })
  t.equal((await gateway.request('DELETE', path, { headers: whole.headers })).status, 204)
})

t.test('without the management API super streams are not listed, and keys follow from names', async (t) => {
  const name = newName(t)
  const alone = await startGateway(t, { RABBITMQ_MANAGEMENT_URL: '' })
  await create(name, { bindingKeys: ['north-west'] })
  t.match((await alone.get('/v1/super-streams')).json, { status: 501, code: 'management_not_configured' })
  const { partitions } = record((await alone.get(`/v1/super-streams/${name}`)).json)
  t.match(list(partitions)[0], { bindingKey: 'north-west', sources: { management: 'not_configured' } })
  t.equal((await alone.request('DELETE', `/v1/super-streams/${name}`)).status, 204)
})
