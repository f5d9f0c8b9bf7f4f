import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer, type RequestOptions } from '../support/gateway.ts'

// What the content type and other headers of a request make of its messages.
const gateway = await startGateway(t)

async function post (
  path: string,
  body: RequestOptions['body'],
  headers: Record<string, string> = {}
): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${path}`, { headers, body })
}

async function messages (stream: string): Promise<unknown> {
  const { json } = await gateway.get(`/v1/streams/${stream}/messages`)
  return typeof json === 'object' && json !== null && 'messages' in json ? json.messages : undefined
}

const FORMS = [
  'application/x-www-form-urlencoded',
  'Application/X-WWW-Form-Urlencoded',
  'application/x-www-form-urlencoded; charset=UTF-8',
  'application/x-www-form-urlencoded ;charset=utf-8',
  'multipart/form-data; boundary=x',
  'MULTIPART/FORM-DATA;boundary="x y"'
]

t.test('a form is refused where lines or one raw body are meant, before anything is stored', async (t) => {
  const stream = await gateway.newStream(t)
  for (const type of FORMS) {
    for (const path of ['lines', 'raw', 'raw?keepForm=false']) {
      const { json } = await post(`${stream}/messages/${path}`, 'onetwothree', { 'content-type': type })
      t.match(json, { status: 415, code: 'unsupported_media_type', sideEffects: 'none' }, `${path} ${type}`)
      t.match(json, { detail: /--data-binary.*content-type/ })
    }
  }
  const mixed = await post(`${stream}/messages/lines`, '--x\n', { 'content-type': 'multipart/mixed; boundary=x' })
  t.equal(mixed.status, 415, 'no multipart body is lines')
  t.same(await messages(stream), [])
})

t.test('a large form that is refused does not hold up its sender', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  t.match((await post(`${stream}/messages/lines`, Buffer.alloc(8 * 1024 * 1024, 'x'), headers)).json, { status: 415 })
  t.match((await post(`${stream}/messages/lines`, 'a\n')).json, { confirmed: 1 })
})

t.test('keepForm=true stores a form byte for byte, with its content type', async (t) => {
  const stream = await gateway.newStream(t)
  for (const [offset, type] of FORMS.entries()) {
    const body = `payload=%7B%22a%22%3A1%7D&n=${offset}\n`
    const { json } = await post(`${stream}/messages/raw?keepForm=true`, body, { 'content-type': type })
    t.same(json, { confirmed: 1, duplicates: 0 })
    const raw = await gateway.get(`/v1/streams/${stream}/messages/${offset}/raw`)
    t.equal(raw.text, body)
    t.equal(raw.headers['content-type'], type)
  }
  t.match((await post(`${stream}/messages/lines?keepForm=true`, 'x')).json, { status: 400 }, 'not for lines')
})

const JSON_LINES = [
  'application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/json',
  'Application/JSON; charset=utf-8', 'application/vnd.acme+json', 'application/cloudevents+json'
]

t.test('lines that are sent as JSON are stored with the content type of JSON and read as JSON', async (t) => {
  for (const type of JSON_LINES) {
    const stream = await gateway.newStream(t)
    const lines = '{"a":1}\n [1, 2.50] \r\n\n \t\r\n{not json\n"\u00e4"'
    t.same((await post(`${stream}/messages/lines`, lines, { 'content-type': type })).json, {
      confirmed: 4,
      duplicates: 0
    }, type)
    t.match(await messages(stream), exactly(
      { body: { a: 1 }, bodyEncoding: 'json', properties: { contentType: 'application/json' } },
      { body: exactly(1, 2.5), bodyEncoding: 'json' },
      { body: '{not json', bodyEncoding: 'text', properties: { contentType: 'application/json' } },
      { body: 'ä', bodyEncoding: 'json' }
    ))
    const bytes = await gateway.get(`/v1/streams/${stream}/messages/lines`)
    t.equal(bytes.text, '{"a":1}\n [1, 2.50] \r\n{not json\n"ä"\n', 'byte for byte')
  }
})

t.test('lines of another type have no content type, and empty ones are messages', async (t) => {
  const stream = await gateway.newStream(t)
  const kinds: Array<Record<string, string>> = [{}, { 'content-type': 'text/plain' }, { 'content-type': 'text/csv' }]
  for (const headers of kinds) {
    t.match((await post(`${stream}/messages/lines`, '{"a":1}\n\n', headers)).json, { confirmed: 2 })
  }
  const { json } = await gateway.get(`/v1/streams/${stream}/messages?limit=2`)
  t.match(json, { messages: exactly({ body: '{"a":1}', bodyEncoding: 'text' }, { body: '' }) })
})

t.test('a skipped line of JSON takes no publishing id', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { 'content-type': 'application/jsonl' }
  const path = `${stream}/messages/lines?publisher=p&firstPublishingId=1`
  t.same((await post(path, '1\n\n\n2\n', headers)).json, { confirmed: 2, duplicates: 0, lastPublishingId: 2 })
  t.same((await post(path, '1\n2\n3\n', headers)).json, { confirmed: 1, duplicates: 2, lastPublishingId: 3 })
})

t.test('headers that keep names become application properties', async (t) => {
  const stream = await gateway.newStream(t)
  const keep = 'X-GitHub-Event,%20x-github-delivery,x-hub-signature-256,x-missing,x-github-event,x-name'
  const { status } = await post(`${stream}/messages/raw?keep=${keep}`, '{"action":"opened"}', {
    'content-type': 'application/json',
    'x-github-event': 'issues',
    'X-GitHub-Delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    'x-hub-signature-256': 'sha256=00ff',
    'x-name': Buffer.from('Jörg').toString('latin1'),
    'x-other': 'not kept',
    'app-property-tenant': 'acme'
  })
  t.equal(status, 200)
  const { json } = await gateway.get(`/v1/streams/${stream}/messages/0`)
  t.match(json, { body: { action: 'opened' } })
  t.same(typeof json === 'object' && json !== null && 'applicationProperties' in json && json.applicationProperties, {
    tenant: 'acme',
    'x-github-event': 'issues',
    'x-github-delivery': '72d3162e-cc78-11e3-81ab-4c9367dc0958',
    'x-hub-signature-256': 'sha256=00ff',
    'x-name': 'Jörg'
  })
})

t.test('credentials, headers of the connection and names that are none are not kept', async (t) => {
  const stream = await gateway.newStream(t)
  const refused = [
    'authorization', 'Cookie', 'x-ok,proxy-authorization', 'set-cookie', 'x-api-key', 'connection', 'Transfer-Encoding',
    'content-length', 'upgrade', 'te', 'x%20y', 'x:y', '', ',', 'x-ok,', 'x-ok,,x-two', 'é', '%00', 'x'.repeat(101),
    Array.from({ length: 33 }, (_, n) => `x-${n}`).join(','), 'x'.repeat(4001)
  ]
  for (const keep of refused) {
    const { json } = await post(`${stream}/messages/raw?keep=${keep}`, 'x', { authorization: 'Bearer secret' })
    t.match(json, { status: 400, errors: exactly({ pointer: '/query/keep' }) }, keep)
  }
  t.same(await messages(stream), [])
  const most = Array.from({ length: 32 }, (_, n) => `x-${n}`).join(',')
  t.equal((await post(`${stream}/messages/raw?keep=${most}`, 'x')).status, 200)
})

t.test('an application property that is given twice is refused', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `${stream}/messages/raw?keep=x-event`
  const both = await post(path, 'x', { 'x-event': 'a', 'app-property-x-event': 'b' })
  t.match(both.json, { status: 400, errors: exactly({ pointer: '/headers/app-property-x-event' }) })
  t.equal((await post(path, 'x', { 'app-property-x-event': 'b' })).status, 200, 'only one of the two is there')
})
