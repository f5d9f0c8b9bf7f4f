import t, { type Test } from 'tap'
import { startGateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

t.setTimeout(60_000)

const REQUEST_TIMEOUT_MS = 1000
const gateway = await startGateway(t, {
  HTTP_REQUEST_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS),
  HTTP_HEADERS_TIMEOUT_MS: String(REQUEST_TIMEOUT_MS)
})

async function sendPart (t: Test, stream: string, contentType: string, chunk: string, id: string) {
  const raw = await openRaw(t, gateway.port)
  const path = `/v1/streams/${stream}/messages${contentType === 'text/plain' ? '/lines' : ''}`
  const headers = `Host: x\r\nX-Request-Id: ${id}\r\nContent-Type: ${contentType}\r\nTransfer-Encoding: chunked`
  raw.send(`POST ${path} HTTP/1.1\r\n${headers}\r\n\r\n`)
  raw.send(`${chunk.length.toString(16)}\r\n${chunk}\r\n`)
  return raw
}

function problemOf (answer: string): unknown {
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))
}

async function untilStored (stream: string, count: number): Promise<void> {
  await until('the first messages are stored', async () => {
    const { json } = await gateway.get(`/v1/streams/${stream}`)
    return typeof json === 'object' && json !== null && 'nextOffset' in json && json.nextOffset === count
  })
}

const BODIES = [['text/plain', 'a\nb\n'], ['application/x-ndjson', '{"body":1}\n{"body":2}\n']] as const

t.test('a streamed publish whose framing breaks is not reported to be without effects', async (t) => {
  for (const [index, [type, lines]] of BODIES.entries()) {
    const stream = await gateway.newStream(t)
    const requestId = `broken-${index}`
    const raw = await sendPart(t, stream, type, lines, requestId)
    await untilStored(stream, 2)
    raw.send('no length\r\n')
    const problem = problemOf(await raw.closed())
    t.match(problem, { status: 400, code: 'bad_request', sideEffects: 'possible', requestId })
    await until('its line in the log', () => gateway.log.some(({ msg, reqId, status }) => {
      return msg === 'request' && reqId === requestId && status === 400
    }))
  }
})

t.test('a streamed publish that does not end in time is not reported to be without effects', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await sendPart(t, stream, 'text/plain', 'a\nb\n', 'late')
  await untilStored(stream, 2)
  const problem = problemOf(await raw.closed())
  t.match(problem, { status: 408, code: 'request_timeout', sideEffects: 'possible', requestId: 'late' })
})

t.test('a publish that breaks before anything was published has no effects', async (t) => {
  const stream = await gateway.newStream(t)
  const raw = await sendPart(t, stream, 'application/json', '{"messages":[{"body":1}', 'whole')
  raw.send('no length\r\n')
  t.match(problemOf(await raw.closed()), { status: 400, code: 'bad_request', sideEffects: 'none' })
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: 0 })
})
