import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { field } from '../support/workload/index.ts'

t.setTimeout(240_000)

const { node } = await startPrivateBroker(t)
const gateway = await startGateway(t, {
  RABBITMQ_STREAM_URL: `rabbitmq-stream://guest:guest@127.0.0.1:${node.streamPort}/%2f`,
  RABBITMQ_MANAGEMENT_URL: node.managementUrl,
  AUTH: 'rabbitmq'
})

/** A user of RabbitMQ with the permissions configure, write and read; its password is its name twice. */
async function newUser (name: string, configure: string, write: string, read: string): Promise<Record<string, string>> {
  await node.ctl('add_user', name, name + name)
  await node.ctl('set_permissions', name, configure, write, read)
  return basic(name, name + name)
}

function basic (user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
}

const admin = await newUser('admin', '.*', '.*', '.*')
const reader = await newUser('reader', '^$', '^$', '^orders')
const writer = await newUser('writer', '^$', '^orders', '^$')
const owner = await newUser('owner', '^orders', '^$', '^$')
const names = ['orders-a', 'orders-b', 'bills-a'] as const
for (const name of names) {
  const { status } = await gateway.request('PUT', `/v1/streams/${name}`, { headers: admin })
  if (status !== 201) throw new Error(`${name} was not created: ${status}`)
  await publish(name, admin)
}

async function publish (stream: string, headers: Record<string, string>): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { headers, body: `of ${stream}` })
}

t.test('the history of a stream is told to those who may see the stream, and to no others', async (t) => {
  for (const [user, headers] of Object.entries({ admin, reader, writer, owner })) {
    for (const stream of [...names, 'absent']) {
      const { status } = await gateway.get(`/v1/streams/${stream}`, headers)
      const answer = await gateway.get(`/v1/streams/${stream}/history`, headers)
      t.equal(answer.status, status, `${stream} for ${user}`)
    }
  }
  t.equal((await gateway.get('/v1/streams/orders-a/history', reader)).status, 200)
  t.equal((await gateway.get('/v1/streams/bills-a/history', reader)).status, 403)
})

t.test('without a credential, or with a wrong one, nothing is told', async (t) => {
  for (const headers of [{}, basic('reader', 'wrong'), basic('nobody', 'wrong'), basic('', 'not.a.token')]) {
    for (const stream of ['orders-a', 'absent']) {
      const answer = await gateway.get(`/v1/streams/${stream}/messages`, headers)
      t.match(answer.json, { status: 401, code: 'unauthorized', sideEffects: 'none' })
      t.match(String(answer.headers['www-authenticate']), /Basic realm=/)
    }
  }
  t.match((await gateway.get('/health/ready')).status, 200, 'health needs no credential')
})

t.test('a user reads what RabbitMQ lets it read', async (t) => {
  const { status, text } = await gateway.get('/v1/streams/orders-a/messages/lines', reader)
  t.same([status, text], [200, 'of orders-a\n'])
  t.match((await gateway.get('/v1/whoami', reader)).json, { caller: 'reader', scheme: 'rabbitmq' })
})

interface Operation {
  readonly what: string
  readonly needs: 'read' | 'write' | 'configure'
  /** Of a stream that is there, and of one that is not. */
  readonly allowed: readonly [number, number]
  readonly ask: (stream: string, headers: Record<string, string>) => Promise<Answer>
}

const get = (path: string) => async (stream: string, headers: Record<string, string>) =>
  await gateway.get(`/v1/streams/${stream}${path}`, headers)
const send = (method: 'PUT' | 'POST', path: string, json: unknown) =>
  async (stream: string, headers: Record<string, string>) =>
    await gateway.request(method, `/v1/streams/${stream}${path}`, { headers, json })

const operations: readonly Operation[] = [
  { what: 'describeStream', needs: 'read', allowed: [200, 404], ask: get('') },
  { what: 'readMessages', needs: 'read', allowed: [200, 404], ask: get('/messages') },
  { what: 'readMessages from the end', needs: 'read', allowed: [200, 404], ask: get('/messages?offset=next') },
  { what: 'readMessages from an offset', needs: 'read', allowed: [200, 404], ask: get('/messages?offset=1') },
  { what: 'readLines', needs: 'read', allowed: [200, 404], ask: get('/messages/lines?offset=last') },
  { what: 'readMessage', needs: 'read', allowed: [200, 404], ask: get('/messages/0') },
  { what: 'readRaw', needs: 'read', allowed: [200, 404], ask: get('/messages/0/raw') },
  { what: 'readAsConsumer', needs: 'read', allowed: [200, 404], ask: get('/consumers/c/messages') },
  { what: 'storeOffset', needs: 'read', allowed: [200, 404], ask: send('PUT', '/consumers/c/offset', { offset: 0 }) },
  { what: 'getStoredOffset', needs: 'read', allowed: [200, 404], ask: get('/consumers/c/offset') },
  {
    what: 'resetOffset',
    needs: 'read',
    allowed: [200, 404],
    ask: send('POST', '/consumers/c/offset/reset', { to: 'first' })
  },
  { what: 'listConsumers', needs: 'read', allowed: [200, 404], ask: get('/consumers') },
  { what: 'listPublishers', needs: 'read', allowed: [200, 404], ask: get('/publishers') },
  { what: 'describePublisher', needs: 'read', allowed: [200, 404], ask: get('/publishers/p') },
  {
    what: 'publishMessages',
    needs: 'write',
    allowed: [200, 404],
    ask: send('POST', '/messages', { messages: [{ body: 'm' }] })
  },
  { what: 'publishLines', needs: 'write', allowed: [200, 404], ask: publish },
  {
    what: 'publishRaw',
    needs: 'write',
    allowed: [200, 404],
    ask: async (stream, headers) =>
      await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { headers, body: 'm' })
  },
  {
    what: 'createStream',
    needs: 'configure',
    allowed: [200, 201],
    ask: async (stream, headers) => await gateway.request('PUT', `/v1/streams/${stream}`, { headers })
  },
  {
    what: 'deleteStream',
    needs: 'configure',
    allowed: [204, 404],
    ask: async (stream, headers) => await gateway.request('DELETE', `/v1/streams/${stream}`, { headers })
  }
]

const users = [
  { who: 'reader', may: 'read', headers: reader },
  { who: 'writer', may: 'write', headers: writer },
  { who: 'owner', may: 'configure', headers: owner }
] as const

for (const { who, may, headers } of users) {
  t.test(`${who} may ${may} orders, and learns nothing else, not even whether a stream exists`, async (t) => {
    let absent = 0
    for (const { what, needs, allowed, ask } of operations) {
      for (const [stream, isThere, isOrder] of [
        ['orders-b', true, true], [`orders-absent-${++absent}`, false, true],
        ['bills-a', true, false], [`bills-absent-${++absent}`, false, false]
      ] as const) {
        const { status, json } = await ask(stream, headers)
        const isAllowed = isOrder && needs === may
        const expected = !isAllowed ? 403 : isThere ? allowed[0] : allowed[1]
        t.equal(status, expected, `${who}: ${what} of ${stream}`)
        if (!isAllowed) t.match(json, { code: 'access_refused', sideEffects: 'none', retryable: false })
      }
    }
    // What the owner has deleted and created.
    await gateway.request('PUT', '/v1/streams/orders-b', { headers: admin })
    t.equal((await publish('orders-b', admin)).status, 200)
    for (; absent > 0; absent--) {
      await gateway.request('DELETE', `/v1/streams/orders-absent-${absent}`, { headers: admin })
    }
  })
}

t.test('a list shows what the user may read or write, page by page', async (t) => {
  const listed = async (headers: Record<string, string>, query = ''): Promise<unknown> => {
    const { json } = await gateway.get(`/v1/streams${query}`, headers)
    return field(json, 'streams')
  }
  t.match(await listed(admin), exactly('bills-a', 'orders-a', 'orders-b'))
  t.match(await listed(reader), exactly('orders-a', 'orders-b'))
  t.same(await listed(owner), [])
  // Older brokers tell nobody what may only be written.
  const isNew = !(await gateway.get('/health/ready')).text.includes('"brokerVersion":"4.0.')
  t.match(await listed(writer), isNew ? exactly('orders-a', 'orders-b') : exactly())
  const first = await gateway.get('/v1/streams?limit=1', reader)
  t.match(first.json, { streams: exactly('orders-a'), nextCursor: 'orders-a' })
  t.match((await gateway.get('/v1/streams?limit=1&cursor=orders-a', reader)).json, { nextCursor: null })
})

t.test('what one user may read is not in memory for another', async (t) => {
  const ask = async (headers: Record<string, string>): Promise<number> =>
    (await gateway.get('/v1/streams/orders-a/messages?offset=0', headers)).status
  for (let round = 0; round < 20; round++) {
    t.same(await Promise.all([ask(reader), ask(writer), ask(reader), ask(owner)]), [200, 403, 200, 403])
  }
})

t.test('the figures of the gateway are not RabbitMQ\'s to show', async (t) => {
  t.match((await gateway.get('/metrics', admin)).json, { status: 403, code: 'access_refused' })
})

t.test('partitions are told to users who may know all of them', async (t) => {
  const partitions = ['shop-0', 'shop-1']
  for (const name of partitions) await gateway.request('PUT', `/v1/streams/${name}`, { headers: admin })
  await node.ctl('eval', `
    Exchange = rabbit_misc:r(<<"/">>, exchange, <<"shop">>),
    {ok, _} = rabbit_exchange:declare(Exchange, direct, true, false, false,
      [{<<"x-super-stream">>, bool, true}], <<"guest">>),
    [ok = rabbit_binding:add({binding, Exchange, Key, rabbit_misc:r(<<"/">>, queue, <<"shop-", Key/binary>>),
      [{<<"x-stream-partition-order">>, signedint, binary_to_integer(Key)}]}, <<"guest">>)
      || Key <- [<<"0">>, <<"1">>]].`)
  const half = await newUser('half', '^$', '^$', '^shop(-0)?$')
  const whole = await newUser('whole', '^$', '^$', '^shop')
  const told = async (headers: Record<string, string>): Promise<unknown> => {
    const { status, json } = await gateway.get('/v1/streams/shop/messages', headers)
    return [status, field(json, 'partitions')]
  }
  t.same(await told(whole), [404, partitions])
  t.same(await told(half), [404, undefined])
  t.same(await told(reader), [403, undefined])
  for (const name of partitions) {
    await gateway.request('DELETE', `/v1/streams/${name}?force=true`, { headers: admin })
  }
})

t.test('RabbitMQ decides who may use a super stream', async (t) => {
  const maker = await newUser('maker', '^sales', '^sales', '^sales')
  const seller = await newUser('seller', '^$', '^sales', '^$')
  const path = '/v1/super-streams/sales'
  const create = async (headers: Record<string, string>): Promise<Answer> =>
    await gateway.request('PUT', path, { headers, json: { partitions: 2 } })
  const refused = { status: 403, code: 'access_refused' }
  t.match((await create(seller)).json, refused)
  t.match(await create(maker), { status: 201 })
  const publish = async (headers: Record<string, string>): Promise<Answer> =>
    await gateway.request('POST', `${path}/messages/lines?routingKey=a`, { headers, body: 'a' })
  t.match((await publish(seller)).json, { confirmed: 1 })
  t.match((await publish(reader)).json, refused)
  t.match(await gateway.get(path, maker), { status: 200 })
  t.match((await gateway.get(path, reader)).json, refused)
  t.match((await gateway.get('/v1/super-streams/absent', reader)).json, refused, 'as for one that does not exist')
  t.match((await gateway.get('/v1/super-streams?prefix=sales', maker)).json, { superStreams: exactly('sales') })
  t.match((await gateway.get('/v1/super-streams?prefix=sales', reader)).json, { superStreams: exactly() })
  t.match((await gateway.request('DELETE', path, { headers: seller })).json, refused)
  t.equal((await gateway.request('DELETE', path, { headers: maker })).status, 204)
})

t.test('no log line shows a password', async (t) => {
  t.notMatch(JSON.stringify(gateway.log), /readerreader|adminadmin|YWRtaW46YWRtaW5hZG1pbg/)
})
