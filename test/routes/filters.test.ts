import t from 'tap'
import { followFiltered, publishAll, readBatch } from '../support/filter-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

t.test('a read with a filter value finds the messages that were published with it, in every way', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const post = async (to: string, body: string, headers: Record<string, string> = {}) => {
    const { status, text } = await gateway.request('POST', path + to, { body, headers })
    t.equal(status, 200, text)
  }
  await publishAll(gateway, stream, [{ body: 1, filterValue: 'a' }, { body: 2, filterValue: 'b' }])
  await publishAll(gateway, stream, [{ body: 4 }, { body: 5, filterValue: 'b' }], '?filterValue=a')
  await post('?filterValue=a', '{"body":6}\n{"body":7,"filterValue":"b"}\n', { 'content-type': 'application/x-ndjson' })
  await post('/raw', '8', { 'content-type': 'application/json', 'filter-value': 'a' })
  await post('/raw?filterValue=a', '9', { 'content-type': 'application/json', 'filter-value': 'b' })
  await post('/raw?filterValue=a', '10', { 'content-type': 'application/json' })
  await post('/lines?filterValue=a', '11\n12\n', { 'content-type': 'application/x-ndjson' })
  await post('/lines?filterValue=a', '13')
  await publishAll(gateway, stream, [{ body: 14, messageAnnotations: { 'x-stream-filter-value': 'a' } }])

  const a = await followFiltered(gateway, stream, 'filterValue=a')
  t.same(a.bodies, [1, 4, 6, 8, 10, 11, 12, '13', 14])
  t.equal(a.nextOffset, 13, 'what was looked at is not looked at again')
  t.same((await followFiltered(gateway, stream, 'filterValue=b')).bodies, [2, 5, 7, 9])
  t.same((await followFiltered(gateway, stream, 'filterValue=b&filterValue=a')).bodies.length, 13)
  t.same((await followFiltered(gateway, stream, 'filterValue=absent')).bodies, [])

  const { messages: [first] } = await readBatch(gateway, path)
  t.match(first, { body: 1, messageAnnotations: { 'x-stream-filter-value': 'a' } })
  const { text } = await gateway.get(`${path}/lines?filterValue=b`)
  t.equal(text, '2\n5\n7\n9\n')
})

t.test('messages without a filter value come when they are asked for', async (t) => {
  const stream = await gateway.newStream(t)
  await publishAll(gateway, stream, [{ body: 1, filterValue: 'a' }])
  await publishAll(gateway, stream, [{ body: 2 }])
  await publishAll(gateway, stream, [{ body: 3, filterValue: 'b' }])
  t.same((await followFiltered(gateway, stream, 'filterValue=a')).bodies, [1])
  t.same((await followFiltered(gateway, stream, 'filterValue=a&matchUnfiltered=true')).bodies, [1, 2])
})

t.test('a held read with a filter waits for a match', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  for (const query of ['filterValue=a', 'match.subject=a']) {
    await publishAll(gateway, stream, [{ body: 'before', filterValue: 'b', properties: { subject: 'b' } }])
    const { nextOffset } = await readBatch(gateway, `${path}?offset=last`)
    const held = readBatch(gateway, `${path}?offset=next&wait=20&${query}`)
    await publishAll(gateway, stream, [{ body: 'other', filterValue: 'b', properties: { subject: 'b' } }])
    await publishAll(gateway, stream, [{ body: 'match', filterValue: 'a', properties: { subject: 'a' } }])
    const batch = await held
    t.match(batch.messages, exactly({ body: 'match' }), query)
    t.equal(batch.nextOffset, nextOffset + 2)
  }
})

t.test('a held read with a filter that finds nothing says how far it has come', async (t) => {
  const stream = await gateway.newStream(t)
  for (let n = 0; n < 3; n++) await publishAll(gateway, stream, [{ body: n, filterValue: 'b' }])
  const query = 'wait=1&filterValue=a'
  t.match(await readBatch(gateway, `/v1/streams/${stream}/messages?${query}`), {
    messages: exactly(), nextOffset: 3, endOfStream: true
  })
})

t.test('a filter that is not valid is refused where it is wrong', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const many = Array.from({ length: 17 }, (_, n) => `filterValue=${n}`).join('&')
  const cases = [
    ['filterValue=', '/query/filterValue'],
    [`filterValue=${'é'.repeat(128)}`, '/query/filterValue'],
    [many, '/query/filterValue'],
    ['filterValue=a+b', '/query/filterValue'],
    ['matchUnfiltered=true', '/query/matchUnfiltered'],
    ['match.subject=a*b', '/query/match.subject'],
    ['match.subject=*a*', '/query/match.subject'],
    ['match.messageId=a%5C', '/query/match.messageId'],
    ['match.applicationProperties.x=**', '/query/match.applicationProperties.x'],
    ['match.applicationProperties.=a', '/query/match.applicationProperties.'],
    ['match.body=a', '/query/match.body']
  ]
  for (const [query = '', pointer] of cases) {
    for (const to of [path, `${path}/lines`, `/v1/streams/${stream}/consumers/c/messages`]) {
      const { status, json } = await gateway.get(`${to}?${query}`)
      t.equal(status, 400, `${to}?${query}`)
      t.match(json, { errors: exactly({ pointer }) }, query)
    }
  }
})

t.test('a filter value that is not valid is refused where it is wrong, and nothing is published', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const long = 'x'.repeat(256)
  const message = (rest: object) => ({ json: { messages: [{ body: 1, ...rest }] } })
  const annotated = (value: unknown) => ({ messageAnnotations: { 'x-stream-filter-value': value } })
  const cases: Array<[string, object, string]> = [
    ['', message({ filterValue: '' }), '/messages/0/filterValue'],
    ['', message({ filterValue: long }), '/messages/0/filterValue'],
    ['', message({ filterValue: 'é'.repeat(128) }), '/messages/0/filterValue'],
    ['', message({ filterValue: 1 }), '/messages/0/filterValue'],
    ['', message({ filterValue: 'a', ...annotated('b') }), '/messages/0/messageAnnotations/x-stream-filter-value'],
    ['', message(annotated(1)), '/messages/0/messageAnnotations/x-stream-filter-value'],
    ['', message(annotated(long)), '/messages/0/messageAnnotations/x-stream-filter-value'],
    ['?filterValue=', message({}), '/query/filterValue'],
    [`?filterValue=${long}`, message({}), '/query/filterValue'],
    ['?filterValue=a&filterValue=b', message({}), '/query/filterValue'],
    [`/lines?filterValue=${long}`, { body: 'a' }, '/query/filterValue'],
    ['/raw', { body: 'a', headers: { 'filter-value': long } }, '/headers/filter-value']
  ]
  for (const [to, request, pointer] of cases) {
    const { status, json } = await gateway.request('POST', path + to, request)
    t.equal(status, 400, pointer)
    t.match(json, { errors: exactly({ pointer }) })
  }
  t.match(await readBatch(gateway, path), { messages: exactly(), nextOffset: 0 })
})
