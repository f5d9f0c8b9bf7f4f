import t from 'tap'
import { readFileSync } from 'node:fs'
import { TLSSocket } from 'node:tls'
import { Connection } from '../../../src/streams/protocol/index.ts'
import { connectionOptions, openConnection } from './open-connection.ts'
import { mechanismsAnswer, ScriptedBroker } from './scripted-broker.ts'

const pem = (name: string): string => readFileSync(new URL(`fixtures/tls/${name}.pem`, import.meta.url), 'utf8')
const ca = pem('ca')
const server = { cert: pem('broker'), key: pem('broker-key') }

t.test('a broker whose certificate has the right authority and name is accepted', async (t) => {
  const broker = await ScriptedBroker.start(t, {}, server)
  const connection = await openConnection(t, broker.port, { tls: { ca, servername: 'rabbit.test' } })
  t.ok(broker.socket instanceof TLSSocket)
  await connection.close()
})

t.test('a broker of an unknown authority or another name gets no frame', async (t) => {
  const broker = await ScriptedBroker.start(t, {}, server)
  for (const [tls, code] of [
    [{ servername: 'rabbit.test' }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    [{ ca, servername: 'other.test' }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [{ ca }, 'ERR_TLS_CERT_ALTNAME_INVALID'] // without a server name the host, 127.0.0.1, is verified
  ] as const) {
    await t.rejects(Connection.open(connectionOptions(broker.port, { tls })), {
      name: 'ConnectionClosedError',
      closedBy: 'fault',
      cause: { code }
    })
  }
  t.same(broker.received, [])
})

t.test('the client certificate is sent, and EXTERNAL needs nothing else', async (t) => {
  const broker = await ScriptedBroker.start(
    t,
    { saslHandshake: mechanismsAnswer('EXTERNAL') },
    { ...server, ca, requestCert: true, rejectUnauthorized: true }
  )
  await openConnection(t, broker.port, {
    tls: { ca, servername: 'rabbit.test', cert: pem('client'), key: pem('client-key') },
    authentication: { mechanism: 'EXTERNAL' }
  })
  t.ok(broker.socket instanceof TLSSocket && broker.socket.getPeerCertificate().subject.CN === 'client')
})

t.test('a broker that does not speak TLS fails the attempt', async (t) => {
  const broker = await ScriptedBroker.start(t, {})
  await t.rejects(Connection.open(connectionOptions(broker.port, { tls: { ca }, connectTimeoutMs: 200 })), {
    name: 'ConnectionClosedError',
    closedBy: 'fault'
  })
})
