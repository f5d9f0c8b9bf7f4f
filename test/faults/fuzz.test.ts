import fc from 'fast-check'
import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import t from 'tap'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { apiRequests, type ApiRequest } from '../support/api-requests.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { untilNothingIsLeft } from '../support/leftovers.ts'
import { OpenapiCheck } from '../support/openapi-check.ts'

// FUZZ_REQUESTS=20000 makes a long run. FUZZ_SEED, which a run prints, makes the same requests again.
const REQUESTS = Number(process.env['FUZZ_REQUESTS'] ?? 3000)
const SEED = Number(process.env['FUZZ_SEED'] ?? Date.now() % 0x7fff_ffff)
const AT_ONCE = 16
const MAX_FAULTS = 20
const STREAMS = ['a', 'b', 'c', 'd', 'never-created', 'with/slash', 'ünï🐇']

t.setTimeout(600_000)

interface Answer { status: number, headers: IncomingMessage['headers'], text: string }

const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE })

async function send (port: number, { method, path, headers, body }: ApiRequest): Promise<Answer> {
  const request = httpRequest({
    host: '127.0.0.1',
    port,
    method,
    path,
    headers: { ...headers, ...(body && { 'content-length': body.length }) },
    agent,
    timeout: 30_000
  })
  request.on('timeout', () => { request.destroy(new Error('no answer within 30 s')) })
  request.end(body)
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (response === undefined) throw new Error('there is no answer')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }
}

const ANNOUNCED_5XX = [501, 503, 504]
const ANNOUNCED_ERRORS =
  /^(broker_unavailable|stream_not_available|management_unavailable|confirm_timeout|broker_timeout)$/
// Answered before an operation is chosen.
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

function described ({ method, path, headers, body }: ApiRequest, { status, text }: Answer): string {
  const sent = `${method} ${path} ${JSON.stringify(headers)} ${String(body).slice(0, 500)}`
  return `${sent} was answered ${status} ${text.slice(0, 500)}`
}

t.test('every answer to odd requests is one that the document describes, and nothing is left behind', async (t) => {
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
  const ask = async (method: string, path: string): Promise<Answer> => {
    return await send(gateway.port, { method, path, headers: {}, body: undefined })
  }
  for (const stream of STREAMS.slice(0, 4)) await ask('PUT', `/v1/streams/${stream}`)

  t.comment(`FUZZ_SEED=${SEED} FUZZ_REQUESTS=${REQUESTS}`)
  const statuses = new Map<number, number>()
  const found = new Map<string, string>()
  const together = fc.array(apiRequests(document, STREAMS), { minLength: AT_ONCE, maxLength: AT_ONCE, size: 'max' })
  const isAnsweredRight = fc.asyncProperty(together, async (requests) => {
    const answers = await Promise.all(requests.map(async (request) => {
      return { request, answer: await send(gateway.port, request) }
    }))
    for (const { request, answer } of answers) {
      statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1)
      for (const fault of faultsOf(check, request, answer)) {
        if (found.size < MAX_FAULTS && !found.has(fault)) found.set(fault, described(request, answer))
      }
    }
  })
  await fc.assert(isAnsweredRight, { numRuns: Math.ceil(REQUESTS / AT_ONCE), seed: SEED })
  // Each kind of fault once, and not only the first fault: a run is long.
  t.same(Object.fromEntries(found), {}, 'every answer is one that the document describes')
  const counts = [...statuses].sort(([a], [b]) => a - b).map(([status, count]) => `${count} x ${status}`)
  t.comment(`answers: ${counts.join(', ')}`)

  t.ok(gateway.isRunning)
  const errors = gateway.log.filter(({ level, code }) => Number(level) >= 50 && !ANNOUNCED_ERRORS.test(String(code)))
  t.same(errors, [], 'no error in the log')
  t.notMatch(gateway.output, /unhandled|uncaught/i)
  const { text } = await ask('GET', '/v1/streams?limit=1000')
  for (const stream of JSON.parse(text).streams) await ask('DELETE', `/v1/streams/${encodeURIComponent(stream)}`)
  agent.destroy()
  await untilNothingIsLeft(gateway)
  t.same(await gateway.end(), { code: 0, signal: null })
})
