import fc from 'fast-check'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import t from 'tap'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { apiRequests, type ApiRequest } from '../support/api-requests.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { untilNothingIsLeft } from '../support/leftovers.ts'
import { OpenapiCheck } from '../support/openapi-check.ts'

// FUZZ_REQUESTS=20000 for a long run; FUZZ_SEED, printed by a run, for the same requests again.
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 3000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff)
const AT_ONCE = 16
const MAX_FAULTS = 20
const STREAMS = ['a', 'b', 'c', 'd', 'never-created', 'with/slash', 'ünï🐇']

t.setTimeout(600_000)

interface Answer { status: number, headers: IncomingMessage['headers'], text: string }

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })

async function send (port: number, { method, path, headers, body }: ApiRequest): Promise<Answer> {
  const request = httpRequest({ host: '127.0.0.1', port, method, path, headers: { ...headers, ...(body && { 'content-length': body.length }) }, agent, timeout: 30_000 })
  request.on('timeout', () => { request.destroy(new Error('no answer within 30 s')) })
  request.end(body)
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (response === undefined) throw new Error('there is no answer')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }
}

const ANNOUNCED_5XX = [501, 503, 504]
// Answered before there is an operation.
const OF_NO_OPERATION = [405, 417, 431]

function faultsOf (check: OpenapiCheck, { method, path }: ApiRequest, { status, headers, text }: Answer): string[] {
  const faults: string[] = []
  if (status >= 500 && !ANNOUNCED_5XX.includes(status)) faults.push('a status that is not announced')
  if (headers['x-request-id'] === undefined) faults.push('no x-request-id')
  if (headers['x-injected'] !== undefined) faults.push('a header of the caller\'s making')
  if (status === 503 && headers['retry-after'] === undefined) faults.push('no Retry-After')
  if (method !== 'HEAD') {
    const pathname = OF_NO_OPERATION.includes(status) ? '/none' : path.split('?', 1)[0] ?? ''
    faults.push(...check.faults(method, pathname, { status, contentType: headers['content-type'] ?? '', text }))
  }
  return faults
}

t.test('no request, however odd, is answered with what the document does not say, or leaves anything behind', async (t) => {
  const prefix = uniqueName('fuzz')
  const gateway = await GatewayProcess.start({
    env: {
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      STREAM_NAME_PATTERN: `${prefix}-{name}`,
      READ_MAX_WAIT_SECONDS: '1',
      READER_IDLE_MS: '500',
      PUBLISHER_IDLE_MS: '500',
      RABBITMQ_CONNECTION_IDLE_MS: '500'
    }
  })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const document: unknown = await (await fetch(`${gateway.url}/openapi.json`)).json()
  if (typeof document !== 'object' || document === null) throw new Error('there is no OpenAPI document')
  const check = new OpenapiCheck(document)
  for (const stream of STREAMS.slice(0, 4)) await send(gateway.port, { method: 'PUT', path: `/v1/streams/${stream}`, headers: {}, body: undefined })

  t.comment(`FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS}`)
  const statuses = new Map<number, number>()
  const found = new Map<string, string>()
  await fc.assert(fc.asyncProperty(fc.array(apiRequests(document, STREAMS), { minLength: AT_ONCE, maxLength: AT_ONCE, size: 'max' }), async (requests) => {
    const answers = await Promise.all(requests.map(async (request) => ({ request, answer: await send(gateway.port, request) })))
    for (const { request, answer } of answers) {
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      for (const fault of faultsOf(check, request, answer)) {
        if (found.size < MAX_FAULTS && !found.has(fault)) found.set(fault, `${request.method} ${request.path} ${JSON.stringify(request.headers)} ${String(request.body).slice(0, 500)} was answered ${answer.status} ${answer.text.slice(0, 500)}`)
      }
    }
  }), { numRuns: Math.ceil(REQUESTS / AT_ONCE), seed: SEED })
  // Each kind of fault once, not the first one only: a run is long.
  t.same(Object.fromEntries(found), {}, 'every answer is one that the document describes')
  t.comment(`answers: ${[...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status}`).join(', ')}`)

  t.ok(gateway.isRunning)
  t.same(gateway.log.filter(({ level, code }) => Number(level) >= 50 && !/^(broker_unavailable|stream_not_available|management_unavailable|confirm_timeout|broker_timeout)$/.test(String(code))), [], 'no error in the log')
  t.notMatch(gateway.output, /unhandled|uncaught/i)
  const { text } = await send(gateway.port, { method: 'GET', path: '/v1/streams?limit=1000', headers: {}, body: undefined })
  for (const stream of JSON.parse(text).streams) await send(gateway.port, { method: 'DELETE', path: `/v1/streams/${encodeURIComponent(stream)}`, headers: {}, body: undefined })
  agent.destroy()
  await untilNothingIsLeft(gateway)
  t.same(await gateway.end(), { code: 0, signal: null })
})
