import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { askRaw, statusesOf } from '../support/raw-http.ts'

const gateway = await startGateway(t)

const NOT_FOUND_NAMES = [
  '...', '..%2F..%2Fhealth%2Flive', '%25', '%252F', ';x=1', '*', '__proto__', 'constructor',
  encodeURIComponent('🐇'.repeat(50))
]
const UNKNOWN_PATHS = [
  '/v1/streams/../../health/live', '/v1/streams/a/../b', '/v1//streams', '/v1/streams/a/', '/health/live/',
  '/HEALTH/live', '/v1/streams/a%2Fmessages/lines', '/docs/..%2f..%2fpackage.json',
  '/docs/static/..%2f..%2fpackage.json'
]
const BAD_NAMES = [
  '..', '%2e%2e', '.', 'a/consumers/%2E%2E/offset', 'a/publishers/.', '%00', 'a%0d%0aX-Injected:%201', '%7f', '%C2%85',
  'x'.repeat(201), encodeURIComponent('🐇'.repeat(51)), 'amq.x', `a/consumers/${'x'.repeat(256)}/offset`,
  'a/publishers/%00'
]
const BAD_ENCODINGS = ['%', '%zz', '%c3%28', '%c0%af', '%ed%a0%80', '%f4%90%80%80', 'a?%zz']

t.test('a name in a path is what it is once decoded, and never becomes a path of its own', async (t) => {
  const outcome = async (path: string): Promise<string> => {
    const answer = await askRaw(gateway.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    return `${statusesOf(answer).join()} ${/"code":"(\w+)"/.exec(answer)?.[1]}`
  }
  const inStreams = (names: readonly string[]): string[] => names.map((name) => `/v1/streams/${name}`)
  for (const path of inStreams(NOT_FOUND_NAMES)) t.equal(await outcome(path), '404 stream_not_found', path)
  for (const path of UNKNOWN_PATHS) t.equal(await outcome(path), '404 route_not_found', path)
  for (const path of inStreams(BAD_NAMES)) t.equal(await outcome(path), '400 validation_failed', path)
  for (const path of inStreams(BAD_ENCODINGS)) t.equal(await outcome(path), '400 bad_request', path)
})

t.test('the answer to a bad name points to where the name stands in the request', async (t) => {
  const stream = await gateway.newStream(t)
  for (const [method, path, pointer] of [
    ['GET', '/v1/streams/%00', '/path/stream'],
    ['PUT', '/v1/streams/amq.x', '/path/stream'],
    ['GET', `/v1/streams/${stream}/consumers/%01/offset`, '/path/consumer'],
    ['GET', `/v1/streams/${stream}/publishers/%01`, '/path/publisher'],
    ['POST', `/v1/streams/${stream}/messages/lines?publisher=%01&firstPublishingId=1`, '/query/publisher']
  ] as const) {
    const { json } = await gateway.request(method, path, method === 'POST' ? { body: 'x' } : {})
    t.match(json, { status: 400, code: 'validation_failed', errors: exactly({ pointer }) }, path)
  }
})

const ODD_NAMES = [
  '...', '.a', 'a/b', '%2F', 'ünï🐇', '\'"<script>', '__proto__', 'constructor', ' ', '🐇'.repeat(12)
]
const NEXT_LINK = /^<\/v1\/streams\/[\x21-\x7e]*\?limit=1&offset=1>; rel="next"$/

t.test('odd names are stored and returned as they are', async (t) => {
  for (const name of ODD_NAMES) {
    const stream = `${name}-${(await gateway.newStream(t)).slice(-12)}`
    const path = `/v1/streams/${encodeURIComponent(stream)}`
    t.match((await gateway.request('PUT', path)).json, { name: stream })
    t.teardown(async () => { await gateway.request('DELETE', path) })
    const publisher = encodeURIComponent(name).replaceAll('.', '%2E')
    const publishing = `${path}/messages/lines?publisher=${publisher}&firstPublishingId=1`
    t.match((await gateway.request('POST', publishing, { body: 'x' })).json, { confirmed: 1 })
    t.match((await gateway.get(`${path}/messages?limit=1`)).headers.link, NEXT_LINK)
    t.match((await gateway.get(`${path}/publishers`)).json, { publishers: exactly({ name, lastPublishingId: 1 }) })
  }
})
