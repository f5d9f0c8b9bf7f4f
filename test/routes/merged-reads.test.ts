import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { newKey, startKeyedGateway } from '../support/keyed-gateway.ts'
import { cursorOf, messagesOf, readToEnd, superStreamOf } from '../support/super-stream-requests.ts'

const gateway = await startGateway(t)
const pathOf = (superStream: string) => `/v1/super-streams/${superStream}/messages`

t.test('a read of a super stream has the messages of all partitions, each with its partition', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  await gateway.publish(`${name}-0`, 'a', 'b')
  await gateway.publish(`${name}-2`, 'c')
  const answer = await gateway.get(pathOf(name))
  t.match(answer.json, {
    messages: exactly(
      { partition: `${name}-0`, offset: 0, body: 'a' },
      { partition: `${name}-0`, offset: 1, body: 'b' },
      { partition: `${name}-2`, offset: 0, body: 'c' }
    ),
    endOfStream: true,
    gaps: exactly(),
    unavailable: exactly()
  })
  t.equal(answer.headers['stream-next-cursor'], cursorOf(answer))
  t.equal(answer.headers['stream-end-of-stream'], 'true')
  t.equal(answer.headers['link'], `<${pathOf(name)}?cursor=${cursorOf(answer)}>; rel="next"`)
})

t.test('the next read continues at the cursor, and an answer held for messages ends with the first one', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  await gateway.publish(`${name}-1`, 1)
  const first = await gateway.get(pathOf(name))
  const next = gateway.get(`${pathOf(name)}?wait=30&cursor=${cursorOf(first)}`)
  const empty = await gateway.get(`${pathOf(name)}?cursor=${cursorOf(first)}`)
  t.match(empty.json, { messages: exactly(), endOfStream: true, nextCursor: cursorOf(first) })
  const startedMs = performance.now()
  await gateway.publish(`${name}-2`, 'news')
  const answer = await next
  t.match(answer.json, { messages: exactly({ partition: `${name}-2`, offset: 0, body: 'news' }), endOfStream: true })
  t.ok(performance.now() - startedMs < 15_000, 'long before the end of the wait')
  t.match((await gateway.get(`${pathOf(name)}?cursor=${cursorOf(answer)}`)).json, { messages: exactly() })
})

t.test('a read as lines of JSON has its cursor in a header', async (t) => {
  const name = await superStreamOf(t, '0', 'eu')
  await gateway.publish(`${name}-eu`, 'a')
  const answer = await gateway.get(pathOf(name), { accept: 'application/x-ndjson' })
  t.match(answer.headers['content-type'], 'application/x-ndjson')
  t.match(JSON.parse(answer.text), { partition: `${name}-eu`, offset: 0, body: 'a' })
  const cursor = String(answer.headers['stream-next-cursor'])
  t.match((await gateway.get(`${pathOf(name)}?cursor=${cursor}`)).json, { messages: exactly() })
})

t.test('bodies of all partitions are read as lines, up to the first one that is no line', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const headers = { 'content-type': 'text/plain' }
  const raw = async (partition: string, body: string) =>
    await gateway.request('POST', `/v1/streams/${partition}/messages/raw`, { body, headers })
  for (const body of ['a', 'b', 'two\nlines', 'c']) await raw(`${name}-0`, body)
  await raw(`${name}-1`, 'd')
  const first = await gateway.get(`${pathOf(name)}/lines`)
  t.match(first.headers['content-type'], 'text/plain')
  t.equal(first.text, 'a\nb\n')
  t.equal(first.headers['stream-end-of-stream'], 'false')
  const cursor = String(first.headers['stream-next-cursor'])
  t.match(first.headers['link'], `/lines?cursor=${cursor}`)
  t.match((await gateway.get(`${pathOf(name)}/lines?cursor=${cursor}`)).json, {
    status: 422, code: 'body_not_a_line', partition: `${name}-0`, offset: 2
  })
  const rest = messagesOf(await gateway.get(`${pathOf(name)}?cursor=${cursor}`)).map(({ body }) => body)
  t.same(rest.sort(), ['c', 'd', 'two\nlines'])
  t.equal((await gateway.get(`${pathOf(name)}/lines?partitions=${name}-1`)).text, 'd\n')
})

t.test('a start is for all partitions', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a', 'b')
  await gateway.publish(`${name}-1`, 'c', 'd')
  const offsetsFrom = async (query: string) =>
    messagesOf(await gateway.get(`${pathOf(name)}?${query}`)).map(({ body }) => body).sort()
  t.same(await offsetsFrom('offset=last'), ['b', 'd'])
  t.same(await offsetsFrom('offset=next'), [])
  t.same(await offsetsFrom('offset=1'), ['b', 'd'])
  t.same(await offsetsFrom('timestamp=2020-01-01T00:00:00Z'), ['a', 'b', 'c', 'd'])
  t.same(await offsetsFrom('timestamp=2100-01-01T00:00:00Z'), [])
  const next = await gateway.get(`${pathOf(name)}?offset=next`)
  await gateway.publish(`${name}-1`, 'e')
  t.match((await gateway.get(`${pathOf(name)}?cursor=${cursorOf(next)}`)).json, {
    messages: exactly({ partition: `${name}-1`, offset: 2, body: 'e' })
  })
})

t.test('one full partition leaves the others their share, whatever the size of a page', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  await gateway.publish(`${name}-0`, ...Array.from({ length: 300 }, (_, index) => index))
  await gateway.publish(`${name}-1`, 'late')
  await gateway.publish(`${name}-2`, 'late')
  const page = messagesOf(await gateway.get(`${pathOf(name)}?limit=30`))
  t.equal(page.filter(({ body }) => body === 'late').length, 2)
  t.ok(page.length >= 20, 'the full partition gets what the others have left over')
  let cursor = ''
  const seen: unknown[] = []
  for (let read = 0; read < 3; read++) {
    const answer = await gateway.get(`${pathOf(name)}?limit=1${cursor}`)
    const [message, ...others] = messagesOf(answer)
    t.equal(others.length, 0)
    seen.push(message?.partition)
    cursor = `&cursor=${cursorOf(answer)}`
  }
  t.equal(new Set(seen).size, 3, 'three reads of one message come to all three partitions')
})

t.test('a worker reads the partitions of its choice, and its cursor keeps the places of the others', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  for (const index of [0, 1, 2]) await gateway.publish(`${name}-${index}`, 'a', 'b')
  const all = await gateway.get(`${pathOf(name)}?offset=1`)
  for (const index of [0, 1, 2]) await gateway.publish(`${name}-${index}`, 'c')
  const chosen = `partitions=${name}-0,${name}-2`
  const some = await gateway.get(`${pathOf(name)}?${chosen}&cursor=${cursorOf(all)}`)
  t.same(messagesOf(some).map(({ partition }) => partition).sort(), [`${name}-0`, `${name}-2`])
  t.match((await gateway.get(`${pathOf(name)}?cursor=${cursorOf(some)}`)).json, {
    messages: exactly({ partition: `${name}-1`, offset: 2, body: 'c' })
  })
})

t.test('filters are those of plain reads', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  for (const partition of [`${name}-0`, `${name}-1`]) {
    const messages = ['x', 'y'].map((subject) => ({ body: subject, properties: { subject } }))
    await gateway.request('POST', `/v1/streams/${partition}/messages`, { json: { messages } })
  }
  const answer = await gateway.get(`${pathOf(name)}?match.subject=y`)
  t.match(answer.json, { messages: exactly({ body: 'y', offset: 1 }, { body: 'y', offset: 1 }), endOfStream: true })
})

t.test('the names of partitions are text, and are written as such', async (t) => {
  const name = await superStreamOf(t, 'nörd-"west"', 'x'.repeat(60))
  for (const suffix of ['nörd-"west"', 'x'.repeat(60)]) {
    await gateway.publish(encodeURIComponent(`${name}-${suffix}`), suffix)
  }
  const { messages } = await readToEnd(gateway, name, () => 'limit=1')
  t.same(messages.map(({ partition, body }) => [partition, body]).sort(), [
    [`${name}-nörd-"west"`, 'nörd-"west"'], [`${name}-${'x'.repeat(60)}`, 'x'.repeat(60)]
  ])
})

t.test('what is wrong with a read is said', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const other = await superStreamOf(t, '0', '1')
  const { headers: { 'stream-next-cursor': foreign } } = await gateway.get(pathOf(other))
  for (const cursor of [String(foreign), 'abc', '17', '']) {
    const { json } = await gateway.get(`${pathOf(name)}?cursor=${cursor}`)
    t.match(json, { status: 400, code: 'cursor_invalid', detail: /nextCursor/ }, cursor)
  }
  t.match((await gateway.get(`${pathOf(name)}?cursor=abc&offset=1`)).json, {
    status: 400, errors: exactly({ pointer: '/query/cursor' })
  })
  t.match((await gateway.get(`${pathOf(name)}?partitions=${name}-0,${name}-7`)).json, {
    status: 404,
    code: 'stream_not_found',
    detail: `"${name}-7" is not a partition of the super stream "${name}": it has "${name}-0", "${name}-1"`
  })
  t.match((await gateway.get(`${pathOf(name)}?offset=1000`)).json, { status: 416, code: 'offset_out_of_range' })
  t.match((await gateway.get(pathOf('no-such-super-stream'))).json, { status: 404, code: 'super_stream_not_found' })
  const stream = await gateway.newStream(t)
  t.match((await gateway.get(pathOf(stream))).json, { status: 404 }, 'a stream is no super stream')
})

t.test('a caller reads the partitions that it may read, when it names them, and stores in no other', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  for (const index of [0, 1]) await gateway.publish(`${name}-${index}`, index, index)
  const whole = newKey({ scopes: [`read:*/${name}`, `read:*/${name}-*`] })
  const part = newKey({ scopes: [`read:*/${name}`, `read:*/${name}-0`] })
  const partitionsOnly = newKey({ scopes: [`read:*/${name}-*`] })
  const { gateway: keyed } = await startKeyedGateway(t, whole, part, partitionsOnly)
  const consumer = `/v1/super-streams/${name}/consumers/c`
  t.equal(messagesOf(await keyed.get(pathOf(name), whole.headers)).length, 4)
  t.match((await keyed.get(pathOf(name), partitionsOnly.headers)).json, { status: 403, code: 'access_refused' })
  t.match((await keyed.get(pathOf(name), part.headers)).json, { status: 403, detail: new RegExp(`${name}-1`) })
  const own = await keyed.get(`${pathOf(name)}?partitions=${name}-0`, part.headers)
  t.same(messagesOf(own).map(({ partition }) => partition), [`${name}-0`, `${name}-0`])
  const { headers: { 'stream-next-cursor': cursor } } = await keyed.get(pathOf(name), whole.headers)
  const read = await keyed.get(`${consumer}/messages?partitions=${name}-0&commit=${String(cursor)}`, part.headers)
  t.equal(read.status, 200)
  const json = { offsets: { [`${name}-0`]: 1, [`${name}-1`]: 1 } }
  t.equal((await keyed.request('PUT', `${consumer}/offset`, { json, headers: part.headers })).status, 403)
  t.match((await keyed.get(`${consumer}/offset`, whole.headers)).json, {
    partitions: exactly({ storedOffset: 1 }, { storedOffset: null })
  })
})
