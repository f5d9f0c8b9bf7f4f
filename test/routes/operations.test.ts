import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { PROBLEM_CODES } from '../../src/api/problems.ts'
import { testManagementUrl } from '../support/broker.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { withoutReferences } from '../support/schema-values.ts'
import { exactly } from '../support/exactly.ts'

t.test('a process with a broker is live and ready', async (t) => {
  const gateway = await startGateway(t)
  t.same((await gateway.get('/health/live')).json, { status: 'live' })
  t.match((await gateway.get('/health/ready')).json, { status: 'ready', brokerVersion: /^\d+\.\d+/ })
})

t.test('metrics count what was done, by operation and status', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  await gateway.get(`/v1/streams/${stream}/messages`)
  await gateway.get('/v1/streams/there-is-none')
  await gateway.get(`/unknown-${stream}`)
  const { text, headers } = await gateway.get('/metrics')
  t.match(headers['content-type'], 'text/plain')
  for (const line of [
    'rabbitmq_stream_gateway_messages_confirmed_total 3',
    'rabbitmq_stream_gateway_messages_read_total 3',
    'rabbitmq_stream_gateway_http_request_duration_seconds_count{operation="publishMessages",status="200"} 1',
    'rabbitmq_stream_gateway_http_request_duration_seconds_count{operation="describeStream",status="404"} 1',
    'rabbitmq_stream_gateway_http_request_duration_seconds_count{operation="none",status="404"} 1'
  ]) t.match(text, line)
  t.notMatch(text, stream, 'no label has a name that callers choose')
  const again = (await gateway.get('/metrics')).text
  t.match(again, 'rabbitmq_stream_gateway_messages_confirmed_total 3\n', 'a scrape changes nothing')
})

t.test('two gateways in one process have their own metrics', async (t) => {
  const [one, two] = [await startGateway(t), await startGateway(t)]
  const stream = await one.newStream(t)
  await one.publish(stream, 1)
  t.match((await one.get('/metrics')).text, 'messages_confirmed_total 1\n')
  t.match((await two.get('/metrics')).text, 'messages_confirmed_total 0\n')
})

// Outlives the gateways that are shut down, and deletes their streams.
const keeper = await startGateway(t)

t.test('a process that is shut down ends what it has begun and begins nothing new', async (t) => {
  const gateway = await startGateway(t, { DRAIN_DELAY_MS: '500' })
  const stream = await keeper.newStream(t)
  const keptAlive = await openRaw(t, gateway.port)
  keptAlive.send('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await keptAlive.received(/"ready"/), /Connection: keep-alive/i)
  const waiting = gateway.get(`/v1/streams/${stream}/messages?wait=60`)
  const ended = gateway.app.shutDown()

  keptAlive.send('GET /health/ready HTTP/1.1\r\nHost: x\r\n\r\n')
  // Not ready at once, and its connection is closed.
  t.match(await keptAlive.closed(), /503 Service Unavailable[^]*connection: close[^]*"code":"draining"/i)
  const published = await gateway.publish(stream, 1)
  t.match(published.json, { confirmed: 1 }, 'requests before the load balancer has noticed are served')
  t.same((await waiting).status, 200, 'a waiting read is answered')
  await ended
  await t.rejects(gateway.get('/health/live'), { code: 'ECONNREFUSED' })
  t.equal(gateway.app.shutDown(), ended, 'twice is fine')
})

t.test('a waiting read is answered when the process is shut down, not after its time', async (t) => {
  const gateway = await startGateway(t)
  const stream = await keeper.newStream(t)
  const waiting = gateway.get(`/v1/streams/${stream}/messages?wait=60`)
  while (gateway.app.broker.stats().readers === 0) await gateway.get('/health/live')
  const startMs = performance.now()
  await gateway.app.shutDown()
  t.match((await waiting).json, { messages: exactly() })
  t.ok(performance.now() - startMs < 10_000)
})

// A request that its client does not finish is cut off.
t.test('a request in flight is finished when the process is shut down', async (t) => {
  const gateway = await startGateway(t, { DRAIN_TIMEOUT_MS: '1000' })
  const stream = await keeper.newStream(t)
  const slow = await openRaw(t, gateway.port)
  const path = `/v1/streams/${stream}/messages`
  slow.send(`POST ${path}/lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\na\n\r\n`)
  const stuck = await openRaw(t, gateway.port)
  stuck.send(`POST /v1/streams/${stream}/messages/raw HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc`)
  await gateway.get(`/v1/streams/${stream}/messages?wait=20`) // until the first line is there
  while (gateway.app.totalBodyBytes() === 0) await gateway.get('/health/live')
  const ended = gateway.app.shutDown()
  slow.send('2\r\nb\n\r\n0\r\n\r\n')
  t.match(await slow.closed(), /200 OK[^]*connection: close[^]*"confirmed":2/i)
  await ended
  t.equal(await stuck.closed(), '')
})

t.test('a draining gateway publishes nothing new', async (t) => {
  const gateway = await startGateway(t)
  const stream = await gateway.newStream(t)
  gateway.app.broker.drain()
  const answers = [
    await gateway.publish(stream, 1),
    await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: 'a\n' })
  ]
  for (const { json, headers } of answers) {
    t.match(json, { status: 503, code: 'draining', retryable: true, sideEffects: 'none' })
    t.equal(headers['retry-after'], '1')
  }
})

t.test('the documentation page runs its own scripts and no others', async (t) => {
  const gateway = await startGateway(t)
  for (const path of ['/docs', '/docs/']) {
    const { status, text, headers } = await gateway.get(path)
    t.equal(status, 200)
    const policy = String(headers['content-security-policy'])
    t.match(policy, /script-src 'self';/)
    t.notMatch(policy, /upgrade-insecure-requests|sandbox/)
    t.notMatch(text, /<script(?![^>]*\bsrc=)/, 'no inline script')
    for (const [, src = ''] of text.matchAll(/(?:src|href)="([^"]+\.(?:js|css|png))"/g)) {
      t.equal((await gateway.get(new URL(src, `http://x${path}`).pathname)).status, 200, src)
    }
  }
  t.same((await gateway.get('/docs/json')).json, (await gateway.get('/openapi.json')).json)
})

t.test('every operation of the document works as its example shows it', async (t) => {
  const gateway = await startPushGateway(t)
  const hello = await gateway.newStream(t)
  await gateway.publish(hello, { hello: 'world' })
  await gateway.request('PUT', `/v1/streams/${hello}/consumers/my-app/offset`, { json: { offset: 0 } })
  await gateway.request('PUT', `/v1/super-streams/${hello}-all`, { json: { partitions: 3 } })
  await gateway.publish(`${hello}-all-0`, { hello: 'world' })
  const redrives = await redrivesOf(t, gateway, hello)
  const examples = examplesOf(gateway.app.swagger(), hello)
  // They work in any order, except that the deletion comes last, and what belongs to something else before that.
  const rank = ({ method, path }: Example): number => method === 'DELETE' ? 1 / path.split('/').length : 0
  examples.sort((a, b) => rank(a) - rank(b))
  t.equal(examples.length, 78)
  for (const { method, path, body, type } of examples) {
    const sent = body !== undefined && { body, headers: { 'content-type': type } }
    const [, list = path, redrive] = /^(.*\/redrives)\/(.*)$/.exec(path) ?? []
    const url = redrive === undefined ? path : `${list}/${redrives.get(list)}`
    const { status, text } = await gateway.request(method, url, { ...sent })
    t.ok(status < 300, `${method} ${path} ${type}: ${status} ${text.slice(0, 300)}`)
  }
})

t.test('the document has the version of the package', async (t) => {
  const gateway = await startGateway(t)
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  t.match((await gateway.get('/openapi.json')).json, { info: { version } })
})

t.test('the broker shows the version and the purpose of each connection', async (t) => {
  const gateway = await startGateway(t)
  await gateway.publish(await gateway.newStream(t), 'hello')
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
  const { origin, username, password } = new URL(testManagementUrl())
  const headers = { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
  for (;;) { // the management learns of connections a moment later
    const connections: unknown = await (await fetch(`${origin}/api/connections`, { headers })).json()
    const ours = Object.values(field(connections))
      .map((connection) => field(connection, 'client_properties'))
      .filter(({ product }) => product === 'rabbitmq-stream-gateway')
    const ofThisVersion = ours.filter((properties) => properties['version'] === version)
    const roles = new Set(ofThisVersion.map((properties) => properties['connection_name']))
    if (roles.has('rabbitmq-stream-gateway publish') && roles.has('rabbitmq-stream-gateway streams')) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
})

t.test('every problem code belongs to an operation, or to no operation at all', async (t) => {
  const gateway = await startGateway(t)
  const text = JSON.stringify(gateway.app.swagger())
  const unused = PROBLEM_CODES.filter((code) => !text.includes(`#/components/examples/${code}`))
  t.same(unused, [
    'origin_not_allowed', 'method_not_allowed', 'expectation_not_supported', 'host_not_allowed', 'headers_too_large'
  ])
})

/** Subscriptions of the streams of the examples, each with a redrive. @returns the ids of these by their path */
async function redrivesOf (t: Test, gateway: Gateway, hello: string): Promise<Map<string, string>> {
  const redrives = new Map<string, string>()
  for (const [source, errors] of [
    [`streams/${hello}`, `${hello}_errors`], [`super-streams/${hello}-all`, `${hello}-all_errors`]
  ] as const) {
    const subscription = `/v1/${source}/subscriptions/billing`
    t.teardown(async () => { await gateway.request('DELETE', `/v1/streams/${errors}`).catch(() => {}) })
    await gateway.request('PUT', subscription, { json: { url: 'http://127.0.0.1:9999/', start: 'first' } })
    await gateway.publish(errors, { hello: 'world' })
    await gateway.request('POST', `${subscription}/reset`, { json: { to: 'first' } })
    const { json } = await gateway.request('POST', `${subscription}/redrives`)
    redrives.set(`${subscription}/redrives`, String(field(json).id))
  }
  return redrives
}

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE'
interface Example { method: Method, path: string, body?: string, type: string }

/** Requests as Swagger UI makes them: required parameters, those with an example, the first example of each body. */
function examplesOf (document: unknown, stream: string): Example[] {
  const examples: Example[] = []
  for (const [template, operations] of Object.entries(field(withoutReferences(document), 'paths'))) {
    for (const [method, operation] of Object.entries(operations ?? {})) {
      const parameters = Object.values(field(operation, 'parameters')).map((parameter) => {
        return { name: String(field(parameter).name), place: field(parameter).in, example: field(parameter).example }
      })
      let path = template
      const query = new URLSearchParams()
      for (const { name, place, example } of parameters) {
        if (example === undefined) continue
        const value = name === 'stream' ? stream : name === 'superStream' ? `${stream}-all` : String(example)
        if (place === 'path') path = path.replace(`{${name}}`, encodeURIComponent(value))
        if (place === 'query') query.set(name, value)
      }
      const at = { method: methodOf(method), path: query.size > 0 ? `${path}?${query}` : path }
      const requestBody = field(field(operation, 'requestBody'), 'content')
      const hasNoExample = /^(\*\/\*|application\/octet-stream)$/
      const contents = Object.entries(requestBody).filter(([type]) => !hasNoExample.test(type))
      if (contents.length === 0) examples.push({ ...at, type: '' })
      for (const [type, media] of contents) {
        const name = String(field(media, 'schema')['$ref']).replace('#/components/schemas/', '')
        const schemas = field(field(document, 'components'), 'schemas')
        const ofSchema = Object.values(field(field(schemas, name), 'examples'))[0]
        const example = field(media).example ?? field(Object.values(field(media, 'examples'))[0]).value ?? ofSchema
        examples.push({ ...at, type, body: typeof example === 'string' ? example : bodyText(example, stream) })
      }
    }
  }
  return examples
}

// The super stream of the examples has another name here, and so have its partitions.
function bodyText (example: unknown, stream: string): string {
  return JSON.stringify(example).replaceAll('"orders-', `"${stream}-all-`)
}

function methodOf (name: string): Method {
  const method = (['GET', 'PUT', 'POST', 'PATCH', 'DELETE'] as const).find((method) => method === name.toUpperCase())
  if (method === undefined) throw new Error(`the document has the method ${name}`)
  return method
}

function field (value: unknown, name?: string): Record<string, unknown> {
  const found = name === undefined ? value : field(value)[name]
  return typeof found === 'object' && found !== null ? Object.fromEntries(Object.entries(found)) : {}
}
