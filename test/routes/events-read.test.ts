import t from 'tap'
import { BATCH, event, ONE, postEvents, readEvents, readMessages } from '../support/cloud-events.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { superStreamOf } from '../support/super-stream-requests.ts'

const gateway = await startGateway(t)
const TRACEPARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
const OTHER = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'
const JSON_TYPE = 'application/json'

t.test('the trace context of a request and the traceparent of an event are one thing', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { traceparent: TRACEPARENT, tracestate: 'a=1' }
  const sent = [event(), event({ traceparent: OTHER }), event({ traceparent: 'odd' })]
  await postEvents(gateway, stream, sent, '', headers)
  const stored = await readMessages(gateway, stream)
  t.match(stored[0], { applicationProperties: headers })
  t.match(stored[1], { applicationProperties: { traceparent: OTHER, cloudEvents_traceparent: OTHER } })
  t.notOk(Object.hasOwn(record(stored[1]?.['applicationProperties']), 'tracestate'))
  t.same(await readEvents(gateway, stream), [
    event(headers), event({ traceparent: OTHER }), event({ traceparent: 'odd' })
  ], 'a read has the context as the extension of that name')
})

t.test('a message that is no event is given as an event that says so', async (t) => {
  const stream = await gateway.newStream(t)
  const json = {
    messages: [
      { body: { a: 1 }, properties: { subject: 'order' }, applicationProperties: { traceparent: TRACEPARENT } },
      { body: 'text', bodyEncoding: 'text' },
      { body: 'AAEC', bodyEncoding: 'base64' },
      { body: [1, 'x'], bodyType: 'value' },
      { body: 'AAEC', bodyEncoding: 'base64', properties: { contentType: 'not\r\na type' } },
      { body: 1, applicationProperties: { cloudEvents_specversion: '1.0', cloudEvents_id: 'x' } },
      { body: 1, applicationProperties: { cloudEvents_specversion: '9', cloudEvents_id: 'x' } },
      { body: 1, properties: { subject: 'a\u0000b' } }
    ]
  }
  await gateway.request('POST', `/v1/streams/${stream}/messages`, { json })
  const events = (await readEvents(gateway, stream)).map(record)
  const base = { specversion: '1.0', source: `/streams/${stream}`, type: 'rabbitmq.stream.message' }
  for (const [offset, { time, ...one }] of events.entries()) {
    t.match(one, { ...base, id: String(offset) })
    t.match(time, /^20\d\d-\d\d-\d\dT/)
  }
  t.match(events, exactly(
    { subject: 'order', traceparent: TRACEPARENT, datacontenttype: JSON_TYPE, data: { a: 1 } },
    { datacontenttype: 'text/plain', data: 'text' },
    { datacontenttype: 'application/octet-stream', data_base64: 'AAEC' },
    { datacontenttype: JSON_TYPE, data: exactly(1, 'x') },
    { data_base64: 'AAEC' }, { data: 1 }, { data: 1 }, { data: 1 }
  ))
  t.notOk(Object.hasOwn(events[7] ?? {}, 'subject'), 'an event cannot have it')
  t.notOk(Object.hasOwn(events[4] ?? {}, 'datacontenttype'))
})

t.test('events that others have stored are read: the older prefix, other AMQP types, structured mode', async (t) => {
  const stream = await gateway.newStream(t)
  const attributes = (prefix: string) => Object.fromEntries(Object.entries({
    specversion: '1.0',
    id: 'x',
    source: '/a',
    type: 'b',
    time: { $type: 'timestamp', value: '2026-01-31T12:00:00Z' },
    big: { $type: 'long', value: '9007199254740993' },
    small: { $type: 'ulong', value: '5' },
    flag: true,
    bytes: { $type: 'binary', value: 'AAEC' },
    double: 1.5
  }).map(([name, value]) => [prefix + name, value]))
  const structured = '{"specversion":"1.0",\n"id":"s","source":"/a","type":"b","data":{"a":1.0}}'
  const typed = (body: string, contentType: string) => ({ body, bodyEncoding: 'text', properties: { contentType } })
  const json = {
    messages: [
      { body: 1, applicationProperties: attributes('cloudEvents:') },
      {
        body: 'as AMQP text',
        bodyType: 'value',
        applicationProperties: attributes('cloudEvents_'),
        properties: { contentType: 'text/plain' }
      },
      typed(structured, 'application/cloudevents+json; charset=UTF-8'),
      typed('{"specversion":"1.0"}', 'application/cloudevents+json'),
      { ...typed(structured, 'application/cloudevents+json'), applicationProperties: attributes('cloudEvents_') },
      { body: structured, bodyType: 'value', properties: { contentType: 'application/cloudevents+json' } }
    ]
  }
  t.match(await gateway.request('POST', `/v1/streams/${stream}/messages`, { json }), { status: 200 })
  const base = {
    specversion: '1.0',
    id: 'x',
    source: '/a',
    type: 'b',
    time: '2026-01-31T12:00:00.000Z',
    big: '9007199254740993',
    small: 5,
    flag: true,
    bytes: 'AAEC'
  }
  const events = await readEvents(gateway, stream)
  t.same(events.slice(0, 3), [
    { ...base, datacontenttype: JSON_TYPE, data: 1 },
    { ...base, datacontenttype: 'text/plain', data: 'as AMQP text' },
    { specversion: '1.0', id: 's', source: '/a', type: 'b', data: { a: 1 } }
  ])
  const whole = { specversion: '1.0', id: 's', source: '/a', type: 'b', data: { a: 1 } }
  t.same(events.slice(4), [whole, whole], 'the content type decides, and text may be an AMQP value')
  t.match(events[3], { type: 'rabbitmq.stream.message', datacontenttype: 'application/cloudevents+json', data: {} })
})

t.test('a read continues where the last one ended, takes filters, and is only a batch of events', async (t) => {
  const stream = await gateway.newStream(t)
  await postEvents(gateway, stream, ['a', 'b', 'a'].map((type, index) => event({ id: String(index), type })))
  const first = await gateway.get(`/v1/streams/${stream}/events?limit=2`, { accept: BATCH['content-type'] })
  t.match(first.headers, {
    'content-type': BATCH['content-type'],
    'stream-next-offset': '2',
    link: `</v1/streams/${stream}/events?limit=2&offset=2>; rel="next"`
  })
  t.same((await readEvents(gateway, stream, '?offset=2')).map((one) => record(one)['id']), ['2'])
  const ofType = await readEvents(gateway, stream, '?match.applicationProperties.cloudEvents_type=a')
  t.same(ofType.map((one) => record(one)['id']), ['0', '2'])
  t.same((await gateway.get(`/v1/streams/${stream}/events?offset=next`)).text, '[]')
  t.match(await gateway.get(`/v1/streams/${stream}/events`, { accept: 'text/html' }), { status: 406 })
  t.match(await gateway.get(`/v1/streams/${stream}/events?offset=9`), { status: 416 })
})

t.test('events of a super stream go by their partitionkey, and are read across its partitions', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const events = Array.from({ length: 12 }, (_, index) => event({ id: String(index), partitionkey: `k${index}` }))
  const post = async (json: unknown, headers: Record<string, string>) =>
    await gateway.request('POST', `/v1/super-streams/${name}/events`, { json, headers })
  t.match((await post(events, BATCH)).json, { confirmed: 12, partitions: {} })
  t.match((await post(event({ partitionkey: 'x'.repeat(256) }), ONE)).json, {
    status: 400, code: 'invalid_cloudevent', errors: exactly({ pointer: '/partitionkey' })
  })
  const { json, headers } = await gateway.get(`/v1/super-streams/${name}/events`)
  t.same(new Set(list(json).map((one) => record(one)['id'])), new Set(events.map(({ id }) => id)))
  t.match(headers, { 'stream-next-cursor': /./, 'stream-end-of-stream': 'true' })
  const again = await gateway.get(`/v1/super-streams/${name}/events?cursor=${headers['stream-next-cursor']}`)
  t.same(again.json, [])
  const inPartitions = await Promise.all(['0', '1'].map((at) => readEvents(gateway, `${name}-${at}`)))
  t.ok(inPartitions.every((part) => part.length > 0))
})
