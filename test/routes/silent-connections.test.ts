import { connect } from 'node:net'
import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { openRaw } from '../support/raw-http.ts'
import { tlsFiles } from '../support/tls-gateway.ts'

// None of these tests takes as long as a silent connection would hold up the end without help.
const LONG = { HTTP_HEADERS_TIMEOUT_MS: '120000', HTTP_REQUEST_TIMEOUT_MS: '120000', DRAIN_TIMEOUT_MS: '100000' }

t.setTimeout(60_000)

t.test('a connection that has sent nothing does not hold up the end of the process', async (t) => {
  const gateway = await startGateway(t, LONG)
  const silent = [await openRaw(t, gateway.port), await openRaw(t, gateway.port)]
  await gateway.app.shutDown()
  for (const { closed } of silent) t.equal(await closed(), '')
})

t.test('nor does one with TLS, before or after its handshake', async (t) => {
  const files = tlsFiles(t)
  const gateway = await startGateway(t, { ...LONG, ...files.env }, { ca: files.ca })
  const handshaken = await openRaw(t, gateway.port, { ca: files.ca })
  const bare = await openRaw(t, gateway.port)
  await gateway.app.shutDown()
  t.equal(await handshaken.closed(), '')
  t.equal(await bare.closed(), '')
})

t.test('a connection whose first request comes while the process ends is answered', async (t) => {
  const gateway = await startGateway(t, LONG)
  const other = await openRaw(t, gateway.port)
  const late = await openRaw(t, gateway.port)
  const ended = gateway.app.shutDown()
  late.send('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  t.match(await late.closed(), /^HTTP\/1\.1 (200|503) .*"(live|draining)"/s)
  t.equal(await other.closed(), '')
  await ended
  const refused = connect(gateway.port, '127.0.0.1')
  await new Promise((resolve) => { refused.once('error', resolve) })
  t.pass('nobody is accepted afterwards')
})
