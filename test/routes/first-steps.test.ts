import t from 'tap'
import { PROBLEM_CODES, PROBLEMS } from '../../src/api/problems.ts'
import { launchChromium } from '../support/chromium.ts'
import { startGateway } from '../support/gateway.ts'
import { askRaw, statusesOf } from '../support/raw-http.ts'

const gateway = await startGateway(t)
const BROWSER = { accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' }

t.test('the root leads to everything, in a browser and for a program', async (t) => {
  const page = await gateway.get('/', BROWSER)
  t.match(page.headers['content-type'], 'text/html')
  t.match(page.headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-/)
  t.notMatch(page.text, /<script|src=|@import|url\(/i)
  const { json } = await gateway.get('/', { accept: 'application/json' })
  t.match(json, { version: String, links: { documentation: '/docs/', openapi: '/openapi.json' } })
  const paths = [...page.text.matchAll(/href="([^"]*)"/g)].map(([, path = '']) => path)
  t.ok(paths.length >= 4)
  for (const path of paths) t.equal((await gateway.get(path)).status, 200, path)
  const behind = await startGateway(t, { HTTP_PATH_PREFIX: '/gw' })
  t.match((await behind.get('/', BROWSER)).text, 'href="/gw/docs/"')
  t.match((await behind.get('/', { accept: 'application/json' })).json, { links: { ready: '/gw/health/ready' } })
})

t.test('the root leads to nothing that is not there', async (t) => {
  const settings: Array<Record<string, string>> = [{ DOCS_ACCESS: 'off' }, { OPS_PORT: '0' }]
  for (const env of settings) {
    const closed = await startGateway(t, env)
    const { text } = await closed.get('/', BROWSER)
    const paths = [...text.matchAll(/href="([^"]*)"/g)].map(([, path = '']) => path)
    t.ok(paths.length >= 2)
    for (const path of paths) t.equal((await closed.get(path)).status, 200, `${JSON.stringify(env)} ${path}`)
  }
})

t.test('a person reads what a problem means on a page, a program as Markdown', async (t) => {
  for (const code of PROBLEM_CODES) {
    const { headers, text } = await gateway.get(`/problems/${code}`, BROWSER)
    t.match(headers['content-type'], 'text/html', code)
    t.match(text, `<code>${code}</code>, status ${PROBLEMS[code].status}`)
    t.notMatch(text, '`')
  }
  t.match((await gateway.get('/problems/overloaded', { accept: '*/*' })).headers['content-type'], 'text/markdown')
})

t.test('the pages fit a phone and follow a dark scheme', async (t) => {
  const browser = await launchChromium(t)
  const page = await browser.newPage({ colorScheme: 'dark', viewport: { width: 360, height: 640 } })
  const faults: string[] = []
  page.on('console', (message) => { faults.push(message.text()) })
  for (const path of ['/', '/problems/publisher_overtaken']) {
    await page.goto(gateway.url + path)
    t.equal(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), true, `${path} is not wider`)
    const [, red = '255'] = /(\d+)/.exec(String(await page.evaluate(
      'getComputedStyle(document.body).color'
    ))) ?? []
    t.ok(Number(red) > 128, 'light text')
  }
  t.equal(faults.filter((text) => !text.includes('favicon')).join(), '')
})

t.test('an unknown path says which one was probably meant', async (t) => {
  for (const [path, meant] of [
    ['/streams', '/v1/streams'],
    ['/v1/stream/hello', '/v1/streams/hello'],
    ['/v1/streams/', '/v1/streams'],
    ['/v1/streams/hello/', '/v1/streams/hello'],
    ['/v1/streams/hello/messages/', '/v1/streams/hello/messages'],
    ['/v1//streams', '/v1/streams'],
    ['//v1/streams', '/v1/streams'],
    ['/V1/Streams/Hello', '/v1/streams/Hello'],
    ['/v2/streams', '/v1/streams'],
    ['/streams/hello/message', '/v1/streams/hello/messages'],
    ['/v1/streams/hello/messsages', '/v1/streams/hello/messages'],
    ['/v1/streams/hello/consumer/c/offset', '/v1/streams/hello/consumers/c/offset'],
    ['/v1/streams/a/b/messages', '/v1/streams/a%2Fb/messages'],
    ['/health/redy', '/health/ready'],
    ['/metric', '/metrics']
  ] as const) {
    const { json } = await gateway.get(path)
    t.match(json, { status: 404, code: 'route_not_found', detail: `did you mean ${meant}?` }, path)
  }
  for (const path of ['/favicon.ico', '/admin', `/${'x'.repeat(3000)}`, '/a/b/c/d/e/f/g/h/i/j/k/l/m/n']) {
    const { json, text } = await gateway.get(path)
    t.match(json, { status: 404 })
    t.notMatch(text, 'did you mean')
    t.ok(text.length < 1000, 'bounded')
  }
})

t.test('TRACE is a method that no path has', async (t) => {
  const answer = await askRaw(gateway.port, 'TRACE /v1/streams/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
  t.match(answer, /^HTTP\/1\.1 405 [^]*allow: DELETE, GET, HEAD, PUT\r\n/i)
})

t.test('a path that is malformed or leads elsewhere is the mistake of the caller', async (t) => {
  for (const path of [
    '/docs/static/%00', '/docs/static/..%5c..%5cx', '/docs/static/../../x', '/docs/static/%2e%2e/%2e%2e/x',
    '/docs/static/..%2f..%2fx', '/docs/static/swagger-ui.css%00.js', '/docs/static/%ff', '/docs/static/%c0%ae%c0%ae/',
    `/docs/static/${'y'.repeat(5000)}`, '/docs/static/a%0ab', '/docs/../x', '/docs/static/.git', '/docs/static/%2e',
    '/%', '/%ff', '/%00', '/v1/streams/%', '/v1/streams/%00', '/v1/streams/a%00b', '/v1/streams/%c0%af',
    '/v1/streams/%ed%a0%80', '/v1/streams/%ed%b0%80', '/v1/streams/%f4%90%80%80', '/v1/streams/%2e%2e',
    '/v1/streams/%2e', '/v1/streams/%e2%82', '/v1/streams/a/consumers/%00/offset', '/problems/%00', '/problems/../x',
    '/v1/streams/a?x=%ff', '/v1/streams/a?%', '/v1/streams/a?offset=%00'
  ]) {
    const answer = await askRaw(gateway.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    const [status = 0] = statusesOf(answer)
    if (path === '/docs/static/%2e') continue // the folder itself
    t.ok(status === 400 || status === 404, `${path}: ${status}`)
    t.match(answer, /content-type: application\/problem\+json[^]*"sideEffects":"none"/i, path)
  }
  t.same(gateway.log.filter(({ level }) => level === 50 || level === 'error').length, 0, 'no error line')
})

t.test('detail says what is wrong first', async (t) => {
  const path = '/v1/streams/a'
  for (const [method, at, json, detail] of [
    ['POST', '/messages', { order: 1 }, /^\/messages is required[^]*; \/order is unknown$/],
    ['PUT', '', { maxAge: 'x' }, /^\/maxAge must be like 7D\. /],
    ['PUT', '', { maxAge: 5 }, '/maxAge must be a string'],
    ['PUT', '', { leaderLocator: 'x' }, '/leaderLocator must be one of client-local, balanced'],
    ['PUT', '', { initialClusterSize: 0 }, '/initialClusterSize must be at least 1'],
    ['PUT', '', { filterSizeBytes: 1.5 }, '/filterSizeBytes must be a whole number'],
    ['PUT', '', [], 'the body must be an object'],
    ['PUT', '', { a: 1, b: 2, c: 3, d: 4 }, '/a is unknown; /b is unknown; /c is unknown; 1 more in errors'],
    ['POST', '/consumers/c/offset/reset', {}, '/to is required'],
    ['POST', '/consumers/c/offset/reset', { to: 'x' }, /first, last, next, \{"offset": \.\.\.\}, \{"timestamp"/],
    ['GET', '/messages?limit=0', undefined, '/query/limit must be at least 1'],
    ['GET', '/messages?wait=61', undefined, '/query/wait must be at most 60'],
    ['GET', '/messages?limit=x&foo=1', undefined, '/query/foo is unknown; /query/limit must be a whole number'],
    ['GET', '/messages/x', undefined, '/path/offset must be a whole number']
  ] as const) {
    const { json: problem } = await gateway.request(method, path + at, json === undefined ? {} : { json })
    t.match(problem, { status: 400, code: 'validation_failed', detail }, `${method} ${at} ${JSON.stringify(json)}`)
  }
  const long = await gateway.request('PUT', path, { json: { ['😀'.repeat(3000)]: 1 } })
  t.ok(String(Object(long.json).detail).length < 500)
})
