import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { askRaw } from '../support/raw-http.ts'

const APP = 'https://app.example.com'
const gateway = await startGateway(t, {
  HTTP_ALLOWED_HOSTS: 'gw.example.com, *.inside.example',
  CORS_ORIGINS: `${APP},http://localhost:3000`
})
const operations = Object.entries(gateway.app.swagger().paths ?? {}).flatMap(([path, methods]) =>
  Object.keys(methods ?? {}).map((method) => ({ method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, '7') }))
)

interface Asked { status: number, head: string, code: string | undefined }

async function ask (method: string, path: string, headers: Record<string, string>, body = ''): Promise<Asked> {
  const lines = Object.entries({ Host: `127.0.0.1:${gateway.port}`, Connection: 'close', ...headers })
  const length = body === '' ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`
  const text = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('') + length
  const answer = await askRaw(gateway.port, `${method} ${path} HTTP/1.1\r\n${text}\r\n${body}`)
  const [head = '', rest = ''] = answer.split('\r\n\r\n')
  return { status: Number(head.slice(9, 12)), head, code: /"code":"(\w+)"/.exec(rest)?.[1] }
}

const PAGES_OF_STRANGERS: Array<Record<string, string>> = [
  { Origin: 'https://evil.example' },
  { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' },
  { Origin: 'null' },
  { Origin: '' },
  { Origin: 'file://' },
  { Origin: `http://127.0.0.1:${gateway.port + 1}` },
  { Origin: 'http://127.0.0.1' },
  { Origin: `${APP}.evil.example` },
  { Origin: `${APP}, https://evil.example` },
  { Origin: 'HTTPS://APP.EXAMPLE.COM' },
  { Origin: 'http://app.example.com' },
  { Origin: `http://127.0.0.1:${gateway.port}`, 'Sec-Fetch-Site': 'cross-site' },
  { 'Sec-Fetch-Site': 'cross-site' },
  { 'Sec-Fetch-Site': 'same-site' },
  { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' },
  { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' }
]

t.test('no operation is open to a page of a stranger', async (t) => {
  t.ok(operations.length > 20)
  for (const { method, path } of operations) {
    for (const headers of PAGES_OF_STRANGERS) {
      const { status, code } = await ask(method, path, headers)
      t.equal(status, 403, `${method} ${path} ${JSON.stringify(headers)}`)
      if (method !== 'HEAD') t.equal(code, 'origin_not_allowed')
    }
  }
  for (const [method, path] of [['OPTIONS', '/v1/streams/a'], ['GET', '/nowhere'], ['TRACE', '/v1/streams']] as const) {
    t.equal((await ask(method, path, { Origin: 'https://evil.example' })).status, 403, `${method} ${path}`)
  }
})

const STRANGE_HOSTS = [
  'evil.example', 'evil.example:8080', '127.0.0.1.evil.example', 'localhost.evil.example', 'evil.example.',
  'localhost@evil.example', 'gw.example.com.evil.example', 'example.com', 'inside.example', 'xinside.example',
  '0x7f.1', '127.1', '[::1].evil.example', 'svc.cluster.local.evil.example', '', ' ', '.localhost', '[::1',
  'a b', 'bücher.example'
]

t.test('no operation is open under a name that is not the gateway\'s', async (t) => {
  for (const { method, path } of operations) {
    const { status, code } = await ask(method, path, { Host: 'evil.example', Origin: 'http://evil.example' })
    t.equal(status, 421, `${method} ${path}`)
    if (method !== 'HEAD') t.equal(code, 'host_not_allowed')
  }
  for (const host of STRANGE_HOSTS) {
    t.equal((await ask('GET', '/health/live', { Host: host })).status, 421, JSON.stringify(host))
  }
})

t.test('clients that are no browsers, and the gateway\'s own pages, are served', async (t) => {
  for (const host of [
    'localhost', 'LOCALHOST:8080', '127.0.0.1', '10.1.2.3:80', '[::1]:8080', 'gateway', 'my_gateway:8080',
    'gw.localhost', 'gw.ns.svc', 'gw.ns.svc.cluster.local', 'gw.corp.internal', 'box.local', 'localhost.',
    'gw.example.com', 'GW.Example.com:443', 'a.b.inside.example'
  ]) {
    t.equal((await ask('GET', '/health/live', { Host: host })).status, 200, host)
  }
  for (const [host, origin] of [
    [`127.0.0.1:${gateway.port}`, `http://127.0.0.1:${gateway.port}`],
    ['gw.example.com', 'https://gw.example.com'],
    ['gw.example.com:443', 'https://gw.example.com'],
    ['GW.example.com', 'http://gw.example.com']
  ] as const) {
    const headers = { Host: host, Origin: origin, 'Sec-Fetch-Site': 'same-origin' }
    t.equal((await ask('GET', '/health/live', headers)).status, 200, `${origin} at ${host}`)
  }
  t.equal((await ask('GET', '/health/live', { 'Sec-Fetch-Site': 'none' })).status, 200, 'typed by a person')
})

t.test('a link of another page may lead to the pages for people, and nowhere else', async (t) => {
  const visit = { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' }
  for (const path of ['/docs/', '/docs/?x=1', '/problems/overloaded']) {
    t.equal((await ask('GET', path, visit)).status, 200, path)
  }
  for (const path of ['/v1/streams', '/v1/streams/a/consumers/c/messages?autoCommit=true', '/docsx', '/metrics']) {
    t.equal((await ask('GET', path, visit)).status, 403, path)
  }
  t.equal((await ask('POST', '/docs/', visit)).status, 403)
})

t.test('nothing of a refused publish is stored, however its body comes', async (t) => {
  const stream = await gateway.newStream(t)
  for (const path of ['messages', 'messages/lines', 'messages/raw']) {
    for (const type of ['text/plain', 'application/json', 'application/x-ndjson', 'application/octet-stream']) {
      const headers = { Origin: 'https://evil.example', 'Content-Type': type }
      const { status } = await ask('POST', `/v1/streams/${stream}/${path}`, headers, '{"messages":[{"body":1}]}')
      t.equal(status, 403, `${path} ${type}`)
    }
  }
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: 0 })
})

t.test('an allowed page is told so, for every path and every error', async (t) => {
  for (const origin of [APP, 'http://localhost:3000']) {
    for (const { method, path } of operations) {
      const asked = { Origin: origin, 'Sec-Fetch-Site': 'cross-site', 'Access-Control-Request-Method': method }
      const headers = { ...asked, 'Access-Control-Request-Headers': 'content-type,app-property-kind' }
      const { status, head } = await ask('OPTIONS', path, headers)
      t.equal(status, 204, path)
      t.match(head, new RegExp(`access-control-allow-origin: ${origin}\r`, 'i'))
      t.match(head, /access-control-allow-headers: content-type,app-property-kind/i)
      t.match(head, /access-control-allow-methods: [^\r]*PUT[^\r]*DELETE/i)
      t.notMatch(head, /allow-credentials/i)
    }
  }
  const fromApp = { Origin: APP, 'Sec-Fetch-Site': 'cross-site' }
  const { status, head } = await ask('GET', '/v1/streams/there-is-none', fromApp)
  t.equal(status, 404)
  t.match(head, /access-control-allow-origin: https:\/\/app\.example\.com/i)
  t.match(head, /access-control-expose-headers: stream-next-offset, /i)
  t.match(head, /vary: origin/i)
  t.equal((await ask('OPTIONS', '/v1/streams', { Origin: APP })).status, 405, 'no preflight')
  t.equal((await ask('OPTIONS', '/v1/streams', {})).status, 405)
})

t.test('an allowed page can read every header that the document names', async (t) => {
  const { head } = await ask('GET', '/', { Origin: APP, 'Sec-Fetch-Site': 'cross-site' })
  const exposed = /access-control-expose-headers: ([^\r]*)/i.exec(head)?.[1]?.split(', ') ?? []
  const named = headersIn(JSON.parse(JSON.stringify(gateway.app.swagger().paths)))
  t.ok(named.includes('stream-commit-offset'))
  for (const name of new Set(named)) t.ok(exposed.includes(name), name)
})

t.test('an answer that depends on several headers of the request names all of them', async (t) => {
  const compressing = await startGateway(t, { CORS_ORIGINS: APP, HTTP_COMPRESS_RESPONSES: 'true' })
  const vary = async (path: string) =>
    (await compressing.get(path, { origin: APP, accept: 'application/json' })).headers['vary']
  t.equal(await vary('/'), 'Origin, Accept, Accept-Encoding')
  t.equal(await vary('/openapi.json'), 'Origin, Accept-Encoding')
})

/** The names of the response headers of all operations. A body may have a member `headers` too, which is left out. */
function headersIn (json: unknown): string[] {
  if (typeof json !== 'object' || json === null) return []
  return Object.entries(json).flatMap(([name, value]: [string, unknown]) => {
    if (name === 'content') return []
    return name === 'headers' && typeof value === 'object' && value !== null ? Object.keys(value) : headersIn(value)
  })
}
