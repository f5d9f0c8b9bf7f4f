import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { shakeHands, tlsFiles } from '../support/tls-gateway.ts'
import { until } from '../support/until.ts'

// Connections over TLS that are slow, many, or still open at the end.
const files = tlsFiles(t)
const { ca } = files
const gateway = await startGateway(t, files.env, { ca })

const UNDER_WAY = /tls_handshakes (\d+)/
const TIMED_OUT = /tls_handshakes_failed_total\{reason="timeout"\} (\d+)/

async function figure (pattern: RegExp): Promise<number> {
  return Number(pattern.exec((await gateway.get('/metrics')).text)?.[1] ?? 0)
}

t.test('clients that do not end their handshake keep nobody away, and are cut off after ten seconds', async (t) => {
  const sockets = Array.from({ length: 500 }, (_, n) => {
    const socket = connect(gateway.port, '127.0.0.1')
    socket.on('error', () => {})
    // Half of them say nothing, half begin.
    socket.once('connect', () => { if (n % 2 === 0) socket.write(Buffer.from('16030102000100', 'hex')) })
    socket.resume()
    t.teardown(() => { socket.destroy() })
    return socket
  })
  const startedMs = performance.now()
  await until('they are under way', async () => await figure(UNDER_WAY) === 500)
  const before = await figure(TIMED_OUT)
  t.type(await shakeHands(t, gateway.port, { ca }), Object)
  await Promise.all(sockets.map(async (socket) => { if (!socket.closed) await once(socket, 'close') }))
  const tookMs = performance.now() - startedMs
  t.ok(tookMs > 8000 && tookMs < 15_000, `after ${tookMs} ms`)
  t.equal(await figure(UNDER_WAY), 0)
  t.equal(await figure(TIMED_OUT), before + 500)
})

t.test('the gateway ends at once while a handshake is under way', async (t) => {
  const closing = await startGateway(t, files.env, { ca })
  const socket = connect(closing.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => {}).resume()
  t.equal((await closing.get('/health/live')).status, 200)
  const startedMs = performance.now()
  await closing.app.shutDown()
  t.ok(performance.now() - startedMs < 3000)
})

t.test('requests that do not end are cut off after DRAIN_TIMEOUT_MS over TLS too', async (t) => {
  const closing = await startGateway(t, { ...files.env, DRAIN_TIMEOUT_MS: '500' }, { ca })
  const connection = await openRaw(t, closing.port, { ca })
  const stream = await closing.newStream(t)
  const path = `/v1/streams/${stream}/messages/lines`
  connection.send(`POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 9\r\n\r\na\n`)
  await delay(200)
  const startedMs = performance.now()
  await closing.app.shutDown()
  t.ok(performance.now() - startedMs < 5000)
  await connection.closed()
  await gateway.request('DELETE', `/v1/streams/${stream}`)
})

t.test('HTTP_MAX_CONNECTIONS counts handshakes too', async (t) => {
  const full = await startGateway(t, { ...files.env, HTTP_MAX_CONNECTIONS: '5' }, { ca })
  const sockets = Array.from({ length: 5 }, () => connect(full.port, '127.0.0.1').on('error', () => {}))
  t.teardown(() => { for (const socket of sockets) socket.destroy() })
  await Promise.all(sockets.map(async (socket) => { await once(socket, 'connect') }))
  t.equal(await shakeHands(t, full.port, { ca }), 'ECONNRESET')
})
