import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { askRaw } from '../support/raw-http.ts'

async function linkOf ({ get }: Gateway, path: string, headers: Record<string, string> = {}): Promise<unknown> {
  return (await get(path, headers)).headers.link
}

t.test('a path prefix is in everything that leads back to the gateway', async (t) => {
  const gateway = await startGateway(t, { HTTP_PATH_PREFIX: '/a/gw' })
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages?limit=1`
  const link = `</a/gw/v1/streams/${stream}/messages?limit=1&offset=0>; rel="next"`
  t.equal(await linkOf(gateway, path), link, 'when the proxy cuts it off')
  t.equal(await linkOf(gateway, `/a/gw${path}`), link, 'when the proxy does not')
  for (const unknown of ['/v1/streams/there-is-none', '/a/gw/v1/streams/there-is-none', '/%']) {
    t.match((await gateway.get(unknown)).text, /"type":"\/a\/gw\/problems\/\w+"/, unknown)
  }
  t.match(await askRaw(gateway.port, 'nonsense\r\n\r\n'), '"type":"/a/gw/problems/bad_request"', 'without a request')
  for (const document of ['/openapi.json', '/docs/json']) {
    t.match((await gateway.get(document)).json, { servers: exactly({ url: '/a/gw' }) }, document)
  }
  t.equal((await gateway.get('/docs')).headers.location, 'docs/', 'relative')
  t.match((await gateway.get('/docs/')).text, 'href="./static/swagger-ui.css"')
  t.equal((await gateway.get('/a/gw')).status, (await gateway.get('/')).status)
  t.equal((await gateway.get('/a/gwx/v1/streams')).status, 404)
})

t.test('an encoded slash of a name survives a proxy that cuts nothing off', async (t) => {
  const gateway = await startGateway(t, { HTTP_PATH_PREFIX: '/gw' })
  const name = `a%2F${Date.now()}`
  t.equal((await gateway.request('PUT', `/gw/v1/streams/${name}`)).status, 201)
  t.match((await gateway.get(`/v1/streams/${name}`)).json, { name: decodeURIComponent(name) })
  t.equal((await gateway.request('DELETE', `/gw/v1/streams/${name}`)).status, 204)
})

t.test('the prefix that a trusted proxy names is used when it is harmless', async (t) => {
  const gateway = await startGateway(t, { TRUST_PROXY: '10.0.0.1, 127.0.0.0/8' })
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  for (const [header, prefix] of [
    ['/gw', '/gw'], ['/gw/', '/gw'], ['/a/b-c_d.e~f', '/a/b-c_d.e~f'], ['/a, /b', '/a/b'], ['', ''], ['/', ''],
    ['gw', ''], ['//evil.example', ''], ['/../x', ''], ['/a/./b', ''], ['https://evil.example', ''],
    ['/a>;rel="x"', ''],
    ['/a%0d%0ax', ''], ['/a b', ''], ['/a"', ''], ['/<script>', ''], ['\\evil', ''],
    [`/${'x'.repeat(300)}`, '']
  ] as const) {
    const link = await linkOf(gateway, path, { 'x-forwarded-prefix': header })
    t.equal(link, `<${prefix}${path}?offset=0>; rel="next"`, header)
  }
})

t.test('nobody else can name a prefix, a host or an address', async (t) => {
  const gateway = await startGateway(t, { TRUST_PROXY: '10.0.0.1' })
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}/messages`
  t.equal(await linkOf(gateway, path, { 'x-forwarded-prefix': '/gw' }), `<${path}?offset=0>; rel="next"`)
  t.equal((await gateway.get('/health/live', { 'x-forwarded-host': 'evil.example' })).status, 200)
})

t.test('the host that a trusted proxy names has to be a name of the gateway', async (t) => {
  const gateway = await startGateway(t, { TRUST_PROXY: '127.0.0.1', HTTP_ALLOWED_HOSTS: 'gw.example.com' })
  const headers = { 'x-forwarded-host': 'gw.example.com', origin: 'https://gw.example.com' }
  t.equal((await gateway.get('/health/live', headers)).status, 200)
  t.equal((await gateway.get('/nowhere', { 'x-forwarded-host': 'evil.example' })).status, 421)
})
