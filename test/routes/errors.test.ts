import t from 'tap'
import { PROBLEM_CODES, PROBLEMS } from '../../src/api/problems.ts'
import { startGateway } from '../support/gateway.ts'
import { openRaw, statusesOf } from '../support/raw-http.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t, { HTTP_HEADERS_TIMEOUT_MS: '1000', HTTP_REQUEST_TIMEOUT_MS: '1500' })

function problemOf (answer: string): Record<string, unknown> {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  return { head, ...JSON.parse(body) }
}

t.test('the answer to an unknown path is a problem, whatever the method', async (t) => {
  for (const path of [
    '/v1', '/v1/streams/a/b', '/v2/streams', '/problems/nonsense', '/docs/static/nonsense.js',
    '/v1/streams/'
  ]) {
    const { json, headers } = await gateway.get(path)
    t.match(json, {
      status: 404,
      code: 'route_not_found',
      type: '/problems/route_not_found',
      retryable: false,
      sideEffects: 'none',
      requestId: headers['x-request-id']
    }, path)
  }
  const sent = { body: 'x', headers: { 'content-type': 'text/plain' } }
  t.match((await gateway.request('POST', '/nowhere', sent)).json, { status: 404 }, 'before its body is looked at')
})

t.test('the answer to a method that a path does not have is a problem that lists those it has', async (t) => {
  for (const [method, path, allow] of [
    ['PATCH', '/v1/streams/a', 'DELETE, GET, HEAD, PUT'],
    ['DELETE', '/v1/streams/a/messages', 'GET, HEAD, POST'],
    ['POST', '/health/live', 'GET, HEAD'],
    ['PUT', '/v1/streams', 'GET, HEAD']
  ] as const) {
    const sent = { headers: { 'content-type': 'text/nonsense' }, body: 'x' }
    const { json, headers } = await gateway.request(method, path, sent)
    t.match(json, { status: 405, code: 'method_not_allowed' }, path)
    t.equal(headers.allow, allow)
  }
})

t.test('the type of a problem is a page that explains it', async (t) => {
  for (const code of PROBLEM_CODES) {
    const { status, text } = await gateway.get(`/problems/${code}`)
    t.equal(status, 200, code)
    t.match(text, PROBLEMS[code].title)
  }
})

t.test('bytes that are not HTTP are answered with a problem', async (t) => {
  for (const text of [
    'nonsense\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nBad Header: x\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n'
  ]) {
    const raw = await openRaw(t, gateway.port)
    raw.send(text)
    t.match(problemOf(await raw.closed()), {
      head: /^HTTP\/1\.1 400 Bad Request\r\n[^]*content-type: application\/problem\+json/i,
      status: 400,
      code: 'bad_request'
    }, JSON.stringify(text))
  }
})

t.test('headers over the limit are answered with a problem', async (t) => {
  const raw = await openRaw(t, gateway.port)
  raw.send(`GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(20_000)}\r\n\r\n`)
  t.match(problemOf(await raw.closed()), { head: /^HTTP\/1\.1 431 /, code: 'headers_too_large' })
})

t.test('a client that never ends its headers or its body is answered with a problem', async (t) => {
  const jsonHeaders = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 10'
  for (const text of [
    'GET / HTTP/1.1\r\nHost: x\r\n',
    `POST /v1/streams/a/messages HTTP/1.1\r\n${jsonHeaders}\r\n\r\n{`
  ]) {
    const raw = await openRaw(t, gateway.port)
    raw.send(text)
    t.match(problemOf(await raw.closed()), { head: /^HTTP\/1\.1 408 /, code: 'request_timeout' }, JSON.stringify(text))
  }
})

t.test('no problem is written into the answer to an earlier request', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await openRaw(t, gateway.port)
  raw.send(`GET /v1/streams/${stream}/messages?wait=1 HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n`)
  t.same(statusesOf(await raw.closed()), [200, 400], 'it comes after that answer')
})

t.test('a harmless request id is kept, any other is replaced', async (t) => {
  const idOf = async (id: string) => (await gateway.get('/health/live', { 'x-request-id': id })).headers['x-request-id']
  t.equal(await idOf('order-4711/retry:2'), 'order-4711/retry:2')
  for (const bad of ['', ' ', 'a b', '"', 'x'.repeat(129), '<script>']) t.match(await idOf(bad), /^[0-9a-f-]{36}$/, bad)
})

t.test('a request is one line in the log, without query string and credentials', async (t) => {
  const stream = await gateway.newStream(t)
  const headers = { authorization: 'Basic s3cret', 'x-request-id': 'the-one' }
  await gateway.get(`/v1/streams/${stream}/messages?body=text&limit=7`, headers)
  await gateway.get('/health/live')
  const lines = gateway.log.filter(({ reqId }) => reqId === 'the-one')
  const path = `/v1/streams/${stream}/messages`
  t.match(lines, exactly({
    level: 30,
    operationId: 'readMessages',
    method: 'GET',
    path,
    stream,
    status: 200,
    ms: Number,
    client: '127.0.0.1',
    msg: 'request'
  }))
  t.equal(lines.length, 1)
  t.notMatch(JSON.stringify(gateway.log), /s3cret|limit=7/)
})

t.test('the line of a request names its consumer or its publisher', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.get(`/v1/streams/${stream}/consumers/my%20app/offset`, { 'x-request-id': 'of-a-consumer' })
  await gateway.request('POST', `/v1/streams/${stream}/messages?publisher=shop`, {
    json: { messages: [{ body: 1, publishingId: 1 }] }, headers: { 'x-request-id': 'of-a-publisher' }
  })
  await gateway.get('/health/live')
  const lineOf = (id: string) => gateway.log.find(({ reqId }) => reqId === id)
  t.match(lineOf('of-a-consumer'), { stream, consumer: 'my app', status: 404, level: 30 })
  t.match(lineOf('of-a-publisher'), { stream, publisher: 'shop', method: 'POST', status: 200 })
})

t.test('mistakes of the caller are not logged as errors', async (t) => {
  await gateway.get('/nowhere')
  await gateway.get('/v1/streams/there-is-none')
  t.same(gateway.log.filter(({ level }) => Number(level) >= 50), [])
})

t.test('without a broker every answer says so, with Retry-After, and the log says why', async (t) => {
  const gateway = await startGateway(t, {
    RABBITMQ_STREAM_URL: 'rabbitmq-stream://guest:s3cret@127.0.0.1:1',
    RABBITMQ_CONNECT_TIMEOUT_MS: '500'
  })
  for (const path of ['/health/ready', '/v1/streams/a', '/v1/streams/a/messages', '/v1/streams/a/consumers/c/offset']) {
    const { json, headers, text } = await gateway.get(path)
    t.match(json, { status: 503, code: 'broker_unavailable', retryable: true }, path)
    t.equal(headers['retry-after'], '1')
    t.notMatch(text, /s3cret|ECONNREFUSED|stack/)
  }
  const publish = await gateway.publish('a', 1)
  t.match(publish.json, { status: 503, code: 'broker_unavailable', sideEffects: 'none' })
  t.match((await gateway.get('/health/live')).json, { status: 'live' }, 'and the process is live')
  const failures = gateway.log.filter(({ msg }) => msg === 'request failed')
  t.equal(failures.length, 5, 'each is logged')
  t.match(JSON.stringify(failures), 'ECONNREFUSED')
  t.notMatch(JSON.stringify(gateway.log), 's3cret')
})

t.test('a wrong password is the fault of the gateway, not of the caller', async (t) => {
  const url = new URL(String(process.env.TEST_STREAM_URL))
  url.password = 's3cret'
  const gateway = await startGateway(t, { RABBITMQ_STREAM_URL: url.href })
  t.match((await gateway.get('/v1/streams/a')).json, { status: 502, code: 'broker_protocol_error' })
  // Also while the broker delays its next refusal of the credentials.
  for (let probe = 0; probe < 3; probe++) {
    t.match((await gateway.get('/health/ready')).json, { status: 503, detail: /refused the user name or the password/ })
  }
  t.notMatch(JSON.stringify(gateway.log), 's3cret')
})
