import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { request } from 'undici'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { until } from '../support/until.ts'

t.setTimeout(180_000)

// For a long run: ABANDONED_POLLS=10000 IDLE_CONNECTIONS=9000.
const ABANDONED_POLLS = Number(process.env['ABANDONED_POLLS'] ?? 3000)
const IDLE_CONNECTIONS = Number(process.env['IDLE_CONNECTIONS'] ?? 2000)
const RESETS = Number(process.env['RESETS'] ?? 600)
const MIB = 1024 * 1024

interface Served { gateway: GatewayProcess, stream: string }

async function serve (t: Test, env: Record<string, string> = {}, nodeOptions: string[] = []): Promise<Served> {
  const brokerUrls = { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const gateway = await GatewayProcess.start({
    env: { ...brokerUrls, ...QUICKLY_IDLE, ...env },
    nodeOptions,
    forgetsRequests: true
  })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const stream = uniqueName('test')
  await call(gateway, 'PUT', `/v1/streams/${stream}`)
  t.teardown(async () => { await call(gateway, 'DELETE', `/v1/streams/${stream}`) })
  return { gateway, stream }
}

type Method = 'GET' | 'PUT' | 'POST' | 'DELETE'

async function call (gateway: GatewayProcess, method: Method, path: string, body?: string): Promise<string> {
  // Each call has a connection of its own, closed with its answer, so that no count of descriptors includes it.
  const answer = await request(gateway.url + path, { method, body, reset: true })
  const text = await answer.body.text()
  if (answer.statusCode >= 300) throw new Error(`${method} ${path} answered ${answer.statusCode} ${text}`)
  return text
}

async function open (t: Test, gateway: GatewayProcess): Promise<Socket> {
  const socket = connect(gateway.port, '127.0.0.1').on('error', () => {})
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  return socket
}

async function isLeftWell (t: Test, gateway: GatewayProcess, filesBefore: number): Promise<void> {
  await untilNothingIsLeft(gateway)
  await until('no descriptor is left', () => gateway.openFiles <= filesBefore + 1)
  t.ok(gateway.isRunning)
  t.notMatch(gateway.output, /unhandled|uncaught|"level":"(?:error|fatal)"/i, 'nothing in the log is an error')
}

t.test('clients that send or read slowly, or stop in the middle of a body, hold up no other client', async (t) => {
  const { gateway, stream } = await serve(t, { HTTP_HEADERS_TIMEOUT_MS: '5000', HTTP_REQUEST_TIMEOUT_MS: '5000' })
  const line = `${'x'.repeat(999)}\n`
  const path = `/v1/streams/${stream}/messages`
  await call(gateway, 'POST', `${path}/lines`, line.repeat(8000))
  const usualMs = async (): Promise<number> => {
    const times: number[] = []
    for (let n = 0; n < 100; n++) {
      const startMs = performance.now()
      await call(gateway, 'POST', `${path}/lines`, 'quick')
      await call(gateway, 'GET', `${path}?limit=10`)
      times.push(performance.now() - startMs)
    }
    return times.sort((a, b) => a - b)[50] ?? Infinity
  }
  const aloneMs = await usualMs()
  const filesBefore = gateway.openFiles
  const slow: Socket[] = []
  for (let n = 0; n < 40; n++) {
    const [reader, sender, stopper] = [await open(t, gateway), await open(t, gateway), await open(t, gateway)]
    reader.pause()
    reader.write(`GET ${path}?limit=10000&maxBytes=4000000 HTTP/1.1\r\nHost: x\r\n\r\n`)
    sender.write(`POST ${path}/lines HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`)
    const jsonHeaders = 'Host: x\r\nContent-Type: application/json\r\nContent-Length: 1000000'
    stopper.write(`POST ${path} HTTP/1.1\r\n${jsonHeaders}\r\n\r\n{"messages":[`)
    slow.push(reader, sender, stopper)
  }
  const timer = setInterval(() => { for (let n = 1; n < slow.length; n += 3) slow[n]?.write('1\r\nx\r\n') }, 20)
  t.teardown(() => { clearInterval(timer) })
  const besideThemMs = await usualMs()
  const times = `others publish and read in ${Math.round(besideThemMs)} ms, alone in ${Math.round(aloneMs)} ms`
  t.ok(besideThemMs < Math.max(200, 10 * aloneMs), times)
  const stopped = slow[2]
  if (stopped === undefined) throw new Error('no client has stopped')
  const [chunk]: Buffer[] = await once(stopped, 'data')
  t.match(String(chunk), /^HTTP\/1\.1 408 [^]*"code":"request_timeout"/, 'a client that stops is told so in the end')
  clearInterval(timer)
  for (const socket of slow) socket.destroy()
  await isLeftWell(t, gateway, filesBefore)
})

t.test('thousands of idle connections cost little, and those beyond HTTP_MAX_CONNECTIONS are closed', async (t) => {
  const { gateway, stream } = await serve(t, {
    HTTP_MAX_CONNECTIONS: String(IDLE_CONNECTIONS + 10),
    HTTP_HEADERS_TIMEOUT_MS: '60000'
  })
  const client = await open(t, gateway)
  let text = ''
  client.on('data', (chunk: Buffer) => { text += chunk.toString() })
  const ask = async (): Promise<void> => {
    text = ''
    client.write(`GET /v1/streams/${stream} HTTP/1.1\r\nHost: x\r\n\r\n`)
    await until('an answer', () => text.endsWith('}'))
    t.match(text, /^HTTP\/1\.1 200 /)
  }
  await ask()
  await untilNothingIsLeft(gateway)
  const [filesBefore, bytesBefore] = [gateway.openFiles, gateway.residentBytes]
  const crowd: Socket[] = []
  t.teardown(() => { for (const socket of crowd) socket.destroy() })
  while (crowd.length < IDLE_CONNECTIONS) {
    const count = Math.min(200, IDLE_CONNECTIONS - crowd.length)
    crowd.push(...await Promise.all(Array.from({ length: count }, async () => await open(t, gateway))))
  }
  await until('all are accepted', () => gateway.openFiles >= filesBefore + IDLE_CONNECTIONS - 1)
  const eachKib = Math.round((gateway.residentBytes - bytesBefore) / IDLE_CONNECTIONS / 1024)
  t.ok(eachKib < 32, `${IDLE_CONNECTIONS} idle connections, ${eachKib} KiB each`)
  const more = await Promise.all(Array.from({ length: 40 }, async () => await open(t, gateway)))
  await until('those beyond are closed', () => more.filter((socket) => socket.closed).length >= 30)
  t.equal(crowd.filter((socket) => socket.closed).length, 0, 'and no other connection')
  t.match(gateway.output, /"level":"warn"[^\n]*closed as they come/)
  await ask()
  for (const socket of [...crowd, ...more]) socket.destroy()
  await until('there is room again', () => gateway.openFiles <= filesBefore + 1)
  t.equal(await call(gateway, 'GET', '/health/live'), '{"status":"live"}')
  t.match(await call(gateway, 'GET', '/metrics'), /^rabbitmq_stream_gateway_http_connections_refused_total [34]\d$/m)
  await isLeftWell(t, gateway, filesBefore)
})

t.test('polls that are abandoned while they wait leave nothing', async (t) => {
  // A heap with room for the garbage of some thousand polls, but not for what they would leave behind.
  const { gateway, stream } = await serve(t, {}, ['--max-old-space-size=64'])
  await call(gateway, 'POST', `/v1/streams/${stream}/messages/lines`, 'first')
  const abandon = async (count: number): Promise<void> => {
    for (let left = count; left > 0; left -= 100) {
      const sockets = await Promise.all(Array.from({ length: Math.min(100, left) }, async () => {
        const socket = connect(gateway.port, '127.0.0.1').on('error', () => {})
        await once(socket, 'connect')
        return socket
      }))
      sockets.forEach((socket, n) => {
        const read = n % 2 === 0 ? 'messages?offset=1' : `consumers/c${n % 7}/messages?from=next`
        socket.write(`GET /v1/streams/${stream}/${read}&wait=60 HTTP/1.1\r\nHost: x\r\n\r\n`)
      })
      // A later request that goes the same way is answered: by then the polls wait.
      await call(gateway, 'GET', `/v1/streams/${stream}/consumers/c/messages?from=next`)
      sockets.forEach((socket, n) => {
        if (n % 2 === 0) socket.destroy()
        else socket.resetAndDestroy()
      })
    }
    await untilNothingIsLeft(gateway)
  }
  await abandon(500)
  const [files, bytes, timers] = [gateway.openFiles, gateway.residentBytes, await activeTimers(gateway)]
  await abandon(ABANDONED_POLLS)
  t.ok(await activeTimers(gateway) <= timers + 2, 'no timer is left')
  const grownMib = Math.round((gateway.residentBytes - bytes) / MIB)
  t.ok(grownMib < 60, `${ABANDONED_POLLS} abandoned polls: ${grownMib} MiB more than after 500`)
  await isLeftWell(t, gateway, files)
})

async function activeTimers (gateway: GatewayProcess): Promise<number> {
  const metrics = await call(gateway, 'GET', '/metrics')
  return Number(/^nodejs_active_resources\{type="Timeout"\} (\d+)$/m.exec(metrics)?.[1] ?? 0)
}

t.test('clients that reset their connection in the middle of everything leave nothing', async (t) => {
  const { gateway, stream } = await serve(t)
  const filesBefore = gateway.openFiles
  const json = JSON.stringify({ messages: Array.from({ length: 200 }, (_, n) => ({ body: `${n}${'x'.repeat(500)}` })) })
  const lines = `${'x'.repeat(500)}\n`.repeat(500)
  const path = `/v1/streams/${stream}`
  const jsonHeaders = `Host: x\r\nContent-Type: application/json\r\nContent-Length: ${json.length}`
  const linesHeaders = `Host: x\r\nContent-Length: ${lines.length}`
  const named = 'publisher=p&firstPublishingId=1'
  const requests: string[] = [
    `POST ${path}/messages HTTP/1.1\r\n${jsonHeaders}\r\n\r\n${json}`,
    `POST ${path}/messages/lines HTTP/1.1\r\n${linesHeaders}\r\n\r\n${lines}`,
    `POST ${path}/messages/lines?${named} HTTP/1.1\r\n${linesHeaders}\r\n\r\n${lines}`,
    `GET ${path}/messages?limit=5000 HTTP/1.1\r\nHost: x\r\n\r\n`,
    `GET ${path}/consumers/c/messages?limit=5000&autoCommit=true HTTP/1.1\r\nHost: x\r\n\r\n`,
    'GET /docs/static/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'
  ]
  for (let n = 0; n < RESETS; n += 20) {
    await Promise.all(Array.from({ length: 20 }, async (_, index) => {
      const socket = await open(t, gateway)
      const text = requests[(n + index) % requests.length] ?? ''
      // Cut somewhere: in the headers, in the body, while the answer is made, while it is written.
      const part = ((n + index) * 7919 % 1000) / 800
      socket.write(text.slice(0, Math.ceil(text.length * part)))
      if (part > 1) await delay((part - 1) * 60)
      socket.resetAndDestroy()
    }))
  }
  await call(gateway, 'POST', `/v1/streams/${stream}/messages/lines`, 'last')
  await isLeftWell(t, gateway, filesBefore)
})
