import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { askRaw, statusesOf } from '../support/raw-http.ts'
import { exactly } from '../support/exactly.ts'

const gateway = await startGateway(t)

const ask = async (bytes: string | Buffer): Promise<string> => await askRaw(gateway.port, bytes)

const POST = 'POST /v1/streams/none/messages/lines HTTP/1.1\r\nHost: x\r\n'
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n`
const GET = 'GET /health/live HTTP/1.1\r\nHost: x\r\n'
const NEXT = 'GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'

t.test('a request that two parties could read differently is refused, and its connection closed', async (t) => {
  const shapes: Record<string, string> = {
    'a length and chunks': `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${NEXT}`,
    'chunks and a length': `${CHUNKED}Content-Length: 4\r\n\r\n0\r\n\r\n${NEXT}`,
    'two lengths': `${POST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab${NEXT}`,
    'the same length twice': `${POST}Content-Length: 1\r\nContent-Length: 1\r\n\r\na${NEXT}`,
    'a list of lengths': `${POST}Content-Length: 1, 1\r\n\r\na${NEXT}`,
    'a length with a sign': `${POST}Content-Length: +1\r\n\r\na${NEXT}`,
    'a negative length': `${POST}Content-Length: -1\r\n\r\n${NEXT}`,
    'a hexadecimal length': `${POST}Content-Length: 0x1\r\n\r\na${NEXT}`,
    'an empty length': `${POST}Content-Length:\r\n\r\n${NEXT}`,
    'a length beyond all numbers': `${POST}Content-Length: 99999999999999999999\r\n\r\n${NEXT}`,
    'two codings': `${CHUNKED}Transfer-Encoding: identity\r\n\r\n0\r\n\r\n${NEXT}`,
    'an unknown coding': `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${NEXT}`,
    'a coding that is not undone': `${POST}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\na\n\r\n0\r\n\r\n`,
    'chunks that are not last': `${POST}Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n${NEXT}`,
    'a space before the colon': `${POST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n${NEXT}`,
    'a folded header': `${GET}X-A: b\r\n c\r\n\r\n${NEXT}`,
    'a bare LF': `GET /health/live HTTP/1.1\nHost: x\n\n${NEXT}`,
    'a bare CR': `${GET}X-A: b\rc\r\n\r\n${NEXT}`,
    'a NUL': `${GET}X-A: b\0c\r\n\r\n${NEXT}`,
    'a chunk size that is not a number': `${CHUNKED}\r\nzz\r\na\r\n0\r\n\r\n${NEXT}`,
    'a chunk size beyond all numbers': `${CHUNKED}\r\nfffffffffffffffff\r\na${NEXT}`,
    'chunks with bare LF': `${CHUNKED}\r\n1\na\n0\n\n${NEXT}`,
    'a chunk extension with a bare LF': `${CHUNKED}\r\n1;a=b\nX\r\na\r\n0\r\n\r\n${NEXT}`,
    'a chunk extension without end': `${CHUNKED}\r\n1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n${NEXT}`,
    'a length in the trailer': `${CHUNKED}\r\n1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n${NEXT}`,
    'no host': `GET /health/live HTTP/1.1\r\n\r\n${NEXT}`,
    'two hosts': `${GET}Host: y\r\n\r\n`,
    'a path with a space': `GET /a b HTTP/1.1\r\nHost: x\r\n\r\n${NEXT}`,
    'an unknown version': `GET /health/live HTTP/3.0\r\nHost: x\r\n\r\n${NEXT}`,
    'the preface of HTTP/2': 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'a TLS hello': '\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003',
    'a tunnel to another host': 'CONNECT example.org:80 HTTP/1.1\r\nHost: x\r\n\r\n'
  }
  await Promise.all(Object.entries(shapes).map(async ([name, bytes]) => {
    const answer = await ask(Buffer.from(bytes, 'latin1'))
    t.match(answer, /"code":"bad_request"/, name)
    t.equal(statusesOf(answer).at(-1), 400, `${name}: nothing behind it was taken for a request`)
    t.match(answer, /\r\ncontent-type: application\/problem\+json/i)
  }))
  t.same(gateway.log.filter(({ level }) => Number(level) >= 50), [])
})

t.test('headers that are too large are refused, and many small headers are all read', async (t) => {
  for (const bytes of [
    `${GET}X: ${'a'.repeat(20_000)}\r\n\r\n`,
    `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
    `${GET}${'Abc: def\r\n'.repeat(3000)}\r\n`
  ]) {
    t.match(await ask(bytes), /^HTTP\/1\.1 431 [^]*"code":"headers_too_large"/)
  }
  const toHead = await ask(`HEAD /health/live HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`)
  t.match(toHead, /^HTTP\/1\.1 431 [^]*\r\ncontent-length: [1-9]\d*\r\n[^]*\r\n\r\n$/i)
  t.notMatch(toHead, /headers_too_large/, 'the answer to HEAD has no body')
  // Node stops counting at 2000 headers unless it is told otherwise, and would take this body for one without a coding.
  const many = 'A:\r\n'.repeat(2100)
  const late = `${POST}${many}Content-Encoding: compress\r\nConnection: close\r\nContent-Length: 1\r\n\r\na`
  t.match(await ask(late), /^HTTP\/1\.1 415 [^]*"code":"unsupported_media_type"/)
})

t.test('an unknown Expect is answered with a problem', async (t) => {
  const head = 'POST /v1/streams/none/messages HTTP/1.1\r\nHost: x\r\nX-Request-Id: e-1\r\n'
  const answer = await ask(`${head}Expect: 200-maybe\r\nContent-Length: 5\r\n\r\n${NEXT}`)
  const known = /^HTTP\/1\.1 417 [^]*x-request-id: e-1\r\n[^]*"code":"expectation_not_supported"[^]*"requestId":"e-1"/i
  t.match(answer, known)
  t.equal(statusesOf(answer).length, 1)
  const continued = await ask(`${POST}Expect: 100-continue\r\nConnection: close\r\nContent-Length: 1\r\n\r\na`)
  t.match(continued, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 404 /)
})

t.test('requests in a row on one connection are answered in their order', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages/raw`
  const publish = (n: number): string =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nX-Request-Id: r-${n}\r\nContent-Length: 1\r\n\r\n${n % 10}`
  const look = (n: number): string => `${GET}X-Request-Id: r-${n}\r\n\r\n`
  const requests = Array.from({ length: 200 }, (_, n) => n % 3 === 0 ? publish(n) : look(n))
  const answer = await ask(`${requests.join('')}${GET}X-Request-Id: r-200\r\nConnection: close\r\n\r\n`)
  const ids = [...answer.matchAll(/x-request-id: r-(\d+)/gi)].map(([, n]) => Number(n))
  t.same(ids, Array.from({ length: 201 }, (_, n) => n))
  t.same(new Set(statusesOf(answer)), new Set([200]))
})

t.test('nothing that a caller sends becomes a header of its own', async (t) => {
  const stream = await gateway.newStream(t)
  const evil = 'text/plain\r\nX-Injected: 1'
  await gateway.request('POST', `/v1/streams/${stream}/messages`, {
    json: { messages: [{ body: 'x', bodyEncoding: 'text', properties: { contentType: evil, subject: evil } }] }
  })
  const requests = [
    `GET /v1/streams/${stream}/messages/0/raw HTTP/1.1\r\nHost: x\r\nX-Request-Id: a%0d%0aX-Injected: 1`,
    `GET /v1/streams/${stream}/messages?offset=0&limit=1&body=text HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\u00e9b`,
    `GET /v1/streams/a%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${'x'.repeat(129)}`,
    'OPTIONS /v1/streams/%0d%0aX-Injected:%201/messages HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\r\nX-Request-Id: b',
    'GET /problems/%0d%0aX-Injected:%201 HTTP/1.1\r\nHost: x\r\nOrigin: http://evil'
  ]
  for (const request of requests) {
    const answer = await ask(`${request}\r\nConnection: close\r\n\r\n`)
    const head = answer.slice(0, answer.indexOf('\r\n\r\n'))
    t.notMatch(head, /injected|access-control/i)
    t.match(head, /\r\nx-request-id: [0-9a-f-]{36}(\r\n|$)/i, 'an id that could do harm is not taken over')
  }
})

t.test('JSON of all kinds is stored as it says or refused, and changes nothing else', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  const publish = async (text: string) => {
    return await gateway.request('POST', path, { headers: { 'content-type': 'application/json' }, body: text })
  }
  const stored = [
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":9007199254740993,"b":[-9223372036854775808,18446744073709551615],"c":1e400,"d":0.1234567890123456789}',
    '"\\ud800"',
    '{"":1,"toString":2,"hasOwnProperty":3}',
    '[1,[2,[3,[]]]]',
    '"\\u0000"',
    '"9007199254740993"',
    '{"a":1,"a":2}',
    '{"__proto__":{"polluted":1}}',
    '{"\\u005f_proto__":1}'
  ]
  for (const body of stored) t.match((await publish(`{"messages":[{"body":${body}}]}`)).json, { confirmed: 1 }, body)
  t.equal((await gateway.get(`${path}/lines`)).text, `${stored.join('\n')}\n`, 'every byte is there')
  const lines = await gateway.request('POST', path, {
    headers: { 'content-type': 'application/x-ndjson' },
    body: '{"body":9007199254740993}\n{"body":1}'
  })
  t.match(lines.json, { confirmed: 2 })
  t.equal((await gateway.get(`${path}/lines?offset=${stored.length}`)).text, '9007199254740993\n1\n')

  const before = await gateway.get(`/v1/streams/${stream}`)
  for (const [text, pointer] of [
    ['{"messages":[{"body":1,"publishingId":9007199254740993}]}', '/messages/0/publishingId'],
    ['{"messages":[{"body":1,"applicationProperties":{"n":9007199254740993}}]}', '/messages/0/applicationProperties/n'],
    ['{"messages":[{"body":9007199254740993,"bodyType":"value"}]}', '/messages/0/body'],
    ['{"messages":[{"body":1,"constructor":1}]}', '/messages/0/constructor'],
    [`{"messages":[{"body":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`, '/messages/0/body']
  ] as const) {
    t.match((await publish(text)).json, { code: 'validation_failed', errors: exactly({ pointer }) }, text.slice(0, 80))
  }
  t.same((await gateway.get(`/v1/streams/${stream}`)).json, before.json)
  t.notOk('polluted' in {})
})
