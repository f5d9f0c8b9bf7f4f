import t from 'tap'
import { BATCH, event, ONE, postEvents, readEvents, readMessages } from '../support/cloud-events.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { record } from '../support/schema-values.ts'

const gateway = await startGateway(t)
const JSON_TYPE = 'application/json'

t.test('an event is stored in the binary mode of AMQP and read as it was sent', async (t) => {
  const stream = await gateway.newStream(t)
  const sent = event({
    time: '2026-01-31T12:00:00.123456789+01:00',
    subject: 'order 4711 \u00e4',
    dataschema: 'https://example.com/order.json',
    datacontenttype: JSON_TYPE,
    count: 5,
    negative: -2147483648,
    flag: false,
    data: { order: 4711 }
  })
  t.same((await postEvents(gateway, stream, sent)).json, { confirmed: 1, duplicates: 0 })
  t.same(await readEvents(gateway, stream), [sent])
  const { datacontenttype, data, ...attributes } = sent
  const stored = Object.entries(attributes).map(([key, value]) => [
    `cloudEvents_${key}`, typeof value === 'number' ? { $type: 'long', value: String(value) } : value
  ])
  const message = { body: data, properties: { contentType: datacontenttype } }
  t.match(await readMessages(gateway, stream), exactly({
    ...message, applicationProperties: Object.fromEntries(stored)
  }))
  t.same(await readEvents(gateway, stream, '?match.applicationProperties.cloudEvents_count=5'), [sent])
  t.same(await readEvents(gateway, stream, '?match.applicationProperties.cloudEvents_count=6'), [])
})

t.test('an event whose data are an event is stored as a whole: no reader takes one for the other', async (t) => {
  const stream = await gateway.newStream(t)
  const outer = event({
    id: 'outer', datacontenttype: 'application/cloudevents+json; charset=utf-8', data: event({ id: 'inner' })
  })
  const batch = event({ id: 'of-batch', datacontenttype: BATCH['content-type'], data: [event({ id: 'inner' })] })
  t.match(await postEvents(gateway, stream, outer), { status: 200 })
  t.match(await postEvents(gateway, stream, [event(), batch]), { status: 200 })
  t.same(await readEvents(gateway, stream), [outer, event(), batch])
  const properties = { contentType: ONE['content-type'] }
  t.match(await readMessages(gateway, stream), exactly(
    { body: outer, properties, applicationProperties: { cloudEvents_id: 'outer' } }, {}, { body: batch, properties }
  ))
})

t.test('data keep their kind: JSON byte for byte, text, bytes, nothing', async (t) => {
  const stream = await gateway.newStream(t)
  const data = '{ "price": 19.90, "big": 12345678901234567890 }'
  const body = `{"specversion":"1.0","id":"1","source":"/a","type":"b","data":${data}}`
  t.match(await gateway.request('POST', `/v1/streams/${stream}/events`, { body, headers: ONE }), { status: 200 })
  t.ok((await gateway.get(`/v1/streams/${stream}/events`)).text.includes(`"data":${data}}`))
  t.equal((await gateway.get(`/v1/streams/${stream}/messages/0/raw`)).text, data)

  const xml = { datacontenttype: 'text/xml', data: '<a b="\u00e4"/>\n' }
  const bytes = { datacontenttype: 'application/octet-stream', data_base64: 'AAEC/w==' }
  const png = { datacontenttype: 'image/png', data_base64: Buffer.from('only ASCII').toString('base64') }
  const typed = { datacontenttype: 'application/vnd.acme+json; charset=utf-8', data: [1, null, 'x'] }
  const kinds = [
    xml, bytes, png, typed, { datacontenttype: 'text/json', data: { a: 1 } }, {}, { data_base64: 'AAEC' },
    { datacontenttype: 'text/plain', data: '' },
    { datacontenttype: JSON_TYPE, data: 'a "string"' }, { datacontenttype: JSON_TYPE, data: null }
  ]
  const events = kinds.map((kind, index) => event({ id: `k-${index}`, ...kind }))
  t.match(await postEvents(gateway, stream, events), { status: 200, json: { confirmed: events.length } })
  t.same(await readEvents(gateway, stream, '?offset=1'), events)
})

t.test('what JSON leaves open is filled in or left out', async (t) => {
  const stream = await gateway.newStream(t)
  await postEvents(gateway, stream, [
    event({ data: { a: 1 } }), event({ subject: null, data: null }), event({ data_base64: null }),
    event({ datacontenttype: 'text/plain', data: null })
  ])
  t.same(await readEvents(gateway, stream), [
    event({ datacontenttype: JSON_TYPE, data: { a: 1 } }), event(), event(),
    event({ datacontenttype: 'text/plain', data: '' })
  ])
})

t.test('a body of any type with ce- headers is an event', async (t) => {
  const stream = await gateway.newStream(t)
  const post = async (headers: Record<string, string>, body?: string | Buffer) =>
    await gateway.request('POST', `/v1/streams/${stream}/events`, { headers, ...(body !== undefined && { body }) })
  const head = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 'b' }
  t.same((await post({ ...head, 'content-type': JSON_TYPE }, '{"a": 1.0}')).json, { confirmed: 1, duplicates: 0 })
  await post({ ...head, 'content-type': 'application/pdf' }, Buffer.from([1, 2, 3]))
  await post({ ...head, 'ce-subject': 'Euro%20%E2%82%AC%20100%25', 'content-type': 'text/plain' }, 'hello')
  await post({ ...head, 'ce-subject': '"a \\"quoted\\" one"', 'ce-other': '100% sure' })
  await post({ ...head, 'ce-subject': Buffer.from('\u00e4').toString('latin1'), 'content-type': JSON_TYPE }, 'no JSON')
  await post({ ...head, 'content-type': 'application/x-www-form-urlencoded' }, 'a=1&b=2')
  const one = { specversion: '1.0', id: '1', source: '/a', type: 'b' }
  t.same(await readEvents(gateway, stream), [
    { ...one, datacontenttype: JSON_TYPE, data: { a: 1 } },
    { ...one, datacontenttype: 'application/pdf', data_base64: 'AQID' },
    { ...one, subject: 'Euro \u20ac 100%', datacontenttype: 'text/plain', data: 'hello' },
    { ...one, subject: 'a "quoted" one', other: '100% sure' },
    { ...one, subject: '\u00e4', datacontenttype: JSON_TYPE, data_base64: Buffer.from('no JSON').toString('base64') },
    { ...one, datacontenttype: 'application/x-www-form-urlencoded', data: 'a=1&b=2' }
  ])
})

t.test('what is not an event is refused with a pointer to it, and nothing is stored', async (t) => {
  const stream = await gateway.newStream(t)
  const wrong: Array<[string, unknown]> = [
    ['/id', event({ id: undefined })], ['/id', event({ id: '' })], ['/id', event({ id: 7 })],
    ['/source', event({ source: 'a b' })], ['/source', event({ source: '' })], ['/type', event({ type: null })],
    ['/specversion', event({ specversion: '0.3' })], ['/specversion', event({ specversion: 1 })],
    ['/time', event({ time: 'yesterday' })], ['/time', event({ time: '2026-02-30T00:00:00Z' })],
    ['/subject', event({ subject: '' })], ['/dataschema', event({ dataschema: '/relative' })],
    ['/datacontenttype', event({ datacontenttype: 'json' })],
    ['/datacontenttype', event({ datacontenttype: 'text/plain; a=\u00e4' })], ['/Upper', event({ Upper: 'x' })],
    ['/with-dash', event({ 'with-dash': 'x' })], ['/a~1b', event({ 'a/b': 'x' })], ['/', event({ '': 'x' })],
    [`/${'x'.repeat(65)}`, event({ ['x'.repeat(65)]: 'x' })], ['/list', event({ list: [1] })],
    ['/object', event({ object: {} })], ['/number', event({ number: 1.5 })], ['/number', event({ number: 2 ** 31 })],
    ['/text', event({ text: 'a\u0000b' })], ['/data_base64', event({ data: 1, data_base64: 'AAEC' })],
    ['/data_base64', event({ data_base64: 'not base64' })], ['/data_base64', event({ data_base64: 5 })],
    ['/data', event({ datacontenttype: 'text/plain', data: { a: 1 } })], ['', []], ['', 'text'], ['', null]
  ]
  for (const [pointer, json] of wrong) {
    const what = JSON.stringify(json)
    // An array is no single event.
    const answer = await gateway.request('POST', `/v1/streams/${stream}/events`, { json, headers: ONE })
    t.match(answer.json, { status: 400, code: 'invalid_cloudevent', errors: exactly({ pointer }) }, what)
    if (pointer === '') continue
    const batch = [event({ id: 'right' }), json]
    t.match((await postEvents(gateway, stream, batch)).json, {
      status: 400, code: 'invalid_cloudevent', sideEffects: 'none', errors: exactly({ pointer: `/1${pointer}` })
    }, what)
  }
  t.match((await postEvents(gateway, stream, [event({ id: '' }), event(), event({ id: '' })])).json, {
    errors: exactly({ pointer: '/0/id' }, { pointer: '/2/id' })
  })
  for (const body of ['', 'nonsense', '{"id":"1"', '[1,]', '{"id":"1","id":"2"}']) {
    for (const headers of [ONE, BATCH]) {
      t.match(await gateway.request('POST', `/v1/streams/${stream}/events`, { body, headers }), { status: 400 }, body)
    }
  }
  t.same(await readEvents(gateway, stream), [])
})

t.test('what is not an event in headers is refused with a pointer to the header', async (t) => {
  const stream = await gateway.newStream(t)
  const head = { 'ce-specversion': '1.0', 'ce-id': '1', 'ce-source': '/a', 'ce-type': 'b' }
  const wrong: Array<[string, Record<string, string>]> = [
    ['/headers/ce-specversion', { 'ce-specversion': '0.3' }], ['/headers/ce-id', { 'ce-id': '' }],
    ['/headers/ce-foo-bar', { 'ce-foo-bar': 'x' }], ['/headers/ce-data', { 'ce-data': 'x' }],
    ['/headers/ce-datacontenttype', { 'ce-datacontenttype': 'text/plain' }],
    ['/headers/ce-time', { 'ce-time': '12:00' }],
    ['/headers/ce-subject', { 'ce-subject': '%FF' }], ['/headers/ce-subject', { 'ce-subject': '%00' }]
  ]
  for (const [pointer, headers] of wrong) {
    const options = { body: 'x', headers: { 'content-type': 'text/plain', ...head, ...headers } }
    const { json } = await gateway.request('POST', `/v1/streams/${stream}/events`, options)
    t.match(json, { status: 400, code: 'invalid_cloudevent', errors: exactly({ pointer }) }, pointer)
  }
  for (const name of ['ce-id', 'CE-Type']) {
    const raw = await openRaw(t, gateway.port)
    const others = { host: 'x', 'content-length': '0', connection: 'close' }
    const lines = [...Object.entries(head), [name, 'other'], ...Object.entries(others)]
      .map(([header, value]) => `${header}: ${value}\r\n`).join('')
    raw.send(`POST /v1/streams/${stream}/events HTTP/1.1\r\n${lines}\r\n`)
    const answer = await raw.closed()
    t.match(answer, /^HTTP\/1.1 400 /, name)
    t.match(answer, `"pointer":"/headers/${name.toLowerCase()}","message":"is there several times"`)
  }
  const others: Array<Record<string, string>> = [
    {}, { 'content-type': JSON_TYPE }, { ...head, 'content-type': 'application/cloudevents+avro' },
    { ...head, 'content-type': 'nonsense' }
  ]
  for (const headers of others) {
    const { json } = await gateway.request('POST', `/v1/streams/${stream}/events`, { body: '{}', headers })
    t.match(json, { status: 415, code: 'unsupported_media_type', detail: /./ })
  }
  t.same(await readEvents(gateway, stream), [])
})

t.test('an empty batch is 200, one with too many events 413, a large one is taken in turns', async (t) => {
  const stream = await gateway.newStream(t)
  t.same((await postEvents(gateway, stream, [])).json, { confirmed: 0, duplicates: 0 })
  const small = await startGateway(t, { PUBLISH_MAX_MESSAGES: '2' })
  t.match((await postEvents(small, stream, [event(), event(), event()])).json, { status: 413 })
  const many = Array.from({ length: 5000 }, (_, index) => event({ id: String(index), data: 'x'.repeat(500) }))
  t.match((await postEvents(gateway, stream, many)).json, { confirmed: 5000 })
  const read = await readEvents(gateway, stream, '?limit=5000&maxBytes=16000000')
  t.same(read.map((one) => record(one)['id']), many.map(({ id }) => id))
})

t.test('large data come back whole: text, JSON and bytes', async (t) => {
  const stream = await gateway.newStream(t)
  const text = '\u00e4\n'.repeat(100_000)
  const events = [
    event({ datacontenttype: 'text/plain', data: text }), event({ datacontenttype: JSON_TYPE, data: { text } }),
    event({ datacontenttype: 'image/png', data_base64: Buffer.alloc(300_000, 7).toString('base64') })
  ]
  for (const one of events) t.match(await postEvents(gateway, stream, one), { status: 200 })
  t.same(await readEvents(gateway, stream), events)
  t.match((await postEvents(gateway, stream, event({ data: 'x'.repeat(1024 * 1024) }))).json, { status: 413 })
})

t.test('publisher names with firstPublishingId make a repeated request harmless', async (t) => {
  const stream = await gateway.newStream(t)
  const events = [event({ id: '1' }), event({ id: '2' })]
  const query = '?publisher=shop&firstPublishingId=7'
  t.match((await postEvents(gateway, stream, events, query)).json, { confirmed: 2, lastPublishingId: 8 })
  t.match((await postEvents(gateway, stream, events, query)).json, { confirmed: 0, duplicates: 2 })
  t.match((await postEvents(gateway, stream, event(), '?publisher=shop&firstPublishingId=9')).json, { confirmed: 1 })
  for (const bad of ['?publisher=shop', '?firstPublishingId=1', '?publisher=a&firstPublishingId=9007199254740991']) {
    t.match((await postEvents(gateway, stream, events, bad)).json, { status: 400, code: 'validation_failed' })
  }
})
