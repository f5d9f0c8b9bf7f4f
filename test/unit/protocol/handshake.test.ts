import t from 'tap'
import { createServer } from 'node:net'
import { once } from 'node:events'
import {
  AuthenticationError, Connection, ConnectionClosedError, UnsupportedBrokerError
} from '../../../src/streams/protocol/index.ts'
import { connectionOptions, openConnection } from './open-connection.ts'
import {
  answerFrame, answerWith, frame, mechanismsAnswer, peerPropertiesAnswer, ScriptedBroker, tuneAnswer
} from './scripted-broker.ts'
import { exactly } from '../../support/exactly.ts'

t.test('an open connection has the properties of its broker', async (t) => {
  const broker = await ScriptedBroker.start(t)
  const connection = await openConnection(t, broker.port)
  t.equal(connection.isOpen, true)
  t.equal(connection.brokerVersion, '4.1.0')
  t.equal(connection.peerProperties.get('product'), 'RabbitMQ')
  t.equal(connection.advertisedHost, 'rabbit-1')
  t.equal(connection.advertisedPort, 5552)
  t.equal(connection.supports('publish'), true)
  t.equal(connection.supports('publish', 2), true)
  t.equal(connection.supports('queryOffset', 2), false)
  t.equal(connection.supports('resolveOffsetSpec'), false)
})

t.test('the client identifies itself and supports Deliver up to version 2', async (t) => {
  const broker = await ScriptedBroker.start(t)
  const properties = broker.next('peerProperties')
  const versions = broker.next('exchangeCommandVersions')
  await openConnection(t, broker.port, {
    connectionName: 'reads orders',
    client: { product: 'gateway', version: '1.2.3', platform: 'Node.js 24' }
  })
  const sent = (await properties).reader.map((reader) => reader.string())
  t.match(Object.fromEntries(sent), {
    product: 'gateway',
    version: '1.2.3',
    connection_name: 'reads orders',
    platform: 'Node.js 24'
  })
  const commands = (await versions).reader.array((reader) => [reader.u16(), reader.u16(), reader.u16()])
  t.match(commands.find(([key]) => key === 8), exactly(8, 1, 2))
  t.match(commands.find(([key]) => key === 3), exactly(3, 1, 1))
})

t.test('PLAIN sends user and password, EXTERNAL sends nothing', async (t) => {
  const broker = await ScriptedBroker.start(t, { saslHandshake: mechanismsAnswer('PLAIN', 'EXTERNAL') })
  const plain = broker.next('saslAuthenticate')
  await openConnection(t, broker.port, { authentication: { mechanism: 'PLAIN', username: 'zoë', password: 'p w' } })
  t.same((await plain).bytes.subarray(8), Buffer.from('\0\x05PLAIN\0\0\0\x09\0zoë\0p w'))
  const external = broker.next('saslAuthenticate')
  await openConnection(t, broker.port, { authentication: { mechanism: 'EXTERNAL' } })
  t.same((await external).bytes.subarray(8), Buffer.from('\0\x08EXTERNAL\0\0\0\0'))
})

t.test('frame size and heartbeat are the smaller values of the two sides', async (t) => {
  const cases = [
    { theirs: [4096, 10], ours: [8192, 60], agreed: [4096, 10] },
    { theirs: [8192, 60], ours: [4096, 10], agreed: [4096, 10] },
    { theirs: [0, 0], ours: [8192, 60], agreed: [8192, 60] }, // 0: the broker sets no limit
    { theirs: [8192, 60], ours: [8192, 0], agreed: [8192, 0] }
  ] as const
  for (const { theirs, ours, agreed } of cases) {
    const broker = await ScriptedBroker.start(t, { saslAuthenticate: tuneAnswer(theirs[0], theirs[1]) })
    const tuned = broker.next('tune')
    const connection = await openConnection(t, broker.port, { frameMaxBytes: ours[0], heartbeatSeconds: ours[1] })
    const { reader } = await tuned
    t.same([reader.u32(), reader.u32()], agreed)
    t.equal(connection.frameMaxBytes, agreed[0])
  }
})

t.test('a broker older than 3.13 is refused before it gets a command that it does not know', async (t) => {
  for (const version of ['3.12.14', '3.9.0', '2.8.7', 'unknown', '']) {
    const broker = await ScriptedBroker.start(t, { peerProperties: peerPropertiesAnswer(version) })
    await t.rejects(Connection.open(connectionOptions(broker.port)), UnsupportedBrokerError, version)
    t.same(broker.received.map(({ key }) => key), [17], 'only PeerProperties was sent')
  }
  for (const version of ['3.13.0', '3.13.0-rc.1', '4.0.5', '10.0']) {
    const broker = await ScriptedBroker.start(t, { peerProperties: peerPropertiesAnswer(version) })
    t.equal((await openConnection(t, broker.port)).brokerVersion, version)
  }
})

t.test('a mechanism that is not offered is not tried', async (t) => {
  const broker = await ScriptedBroker.start(t, { saslHandshake: mechanismsAnswer('EXTERNAL') })
  const error = await refused(t, broker.port)
  t.equal(error.responseCode, 7)
  t.notOk(broker.received.some(({ key }) => key === 19), 'no credentials were sent')
})

t.test('refused credentials and a refused virtual host have the response code', async (t) => {
  for (const code of [8, 9, 10, 11]) {
    const broker = await ScriptedBroker.start(t, { saslAuthenticate: answerWith('saslAuthenticate', code) })
    t.equal((await refused(t, broker.port)).responseCode, code)
  }
  const broker = await ScriptedBroker.start(t, { open: answerWith('open', 12) })
  t.equal((await refused(t, broker.port)).responseCode, 12)
})

t.test('an answer to Open without properties is accepted', async (t) => {
  const broker = await ScriptedBroker.start(t, { open: answerWith('open', 1) })
  const connection = await openConnection(t, broker.port)
  t.equal(connection.advertisedHost, undefined)
  t.equal(connection.advertisedPort, undefined)
})

t.test('a connection that breaks at any step fails the attempt', async (t) => {
  const steps = ['peerProperties', 'saslHandshake', 'saslAuthenticate', 'open', 'exchangeCommandVersions'] as const
  for (const step of steps) {
    const broker = await ScriptedBroker.start(t, {
      [step]: (_: unknown, broker: ScriptedBroker) => { broker.socket.destroy() }
    })
    await t.rejects(Connection.open(connectionOptions(broker.port)), ConnectionClosedError, step)
  }
  // Only the answer, so that the client waits for Tune.
  const broker = await ScriptedBroker.start(t, {
    saslAuthenticate: ({ correlationId }, broker) => {
      broker.send(answerFrame('saslAuthenticate', correlationId))
      broker.socket.end()
    }
  })
  await t.rejects(Connection.open(connectionOptions(broker.port)), { name: 'ConnectionClosedError', closedBy: 'peer' })
})

t.test('a Close right after the last answer fails the attempt, and no handler is called', async (t) => {
  const broker = await ScriptedBroker.start(t, {
    exchangeCommandVersions: ({ correlationId }, broker) => {
      broker.send(
        answerFrame('exchangeCommandVersions', correlationId, 1, (writer) => writer.u32(0)),
        frame('close', (writer) => writer.u32(1).u16(15).string('sorry'))
      )
    }
  })
  await t.rejects(Connection.open(connectionOptions(broker.port)), {
    closedBy: 'peer',
    responseCode: 15,
    message: /sorry/
  })
})

t.test('a peer that accepts and then sends nothing fails the attempt in time', async (t) => {
  const broker = await ScriptedBroker.start(t, { peerProperties () {} })
  const opening = Connection.open(connectionOptions(broker.port, { connectTimeoutMs: 50 }))
  const error = await opening.catch((error: unknown) => error)
  t.match(error, { name: 'ConnectionClosedError', closedBy: 'fault', message: /not open within 50 ms/ })
})

t.test('an aborted signal ends the attempt with its reason', async (t) => {
  const broker = await ScriptedBroker.start(t, { peerProperties () {} })
  const controller = new AbortController()
  const asked = broker.next('peerProperties')
  const opening = Connection.open(connectionOptions(broker.port), controller.signal)
  await asked
  const reason = new Error('no longer needed')
  controller.abort(reason)
  t.equal(await opening.catch((error: unknown) => error), reason)
  await t.rejects(Connection.open(connectionOptions(broker.port), AbortSignal.abort(reason)), reason)
})

t.test('a refused connection is reported with its reason', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  const refusal = { closedBy: 'fault', connectFault: 'refused', cause: { message: /ECONNREFUSED/ } }
  await t.rejects(Connection.open(connectionOptions(address.port)), refusal)
  // A host name with several addresses gives one error for each.
  const otherOptions = connectionOptions(address.port, { host: 'localhost' })
  await t.rejects(Connection.open(otherOptions), refusal)
})

t.test('a peer with another protocol is refused, whatever frame size it announces', async (t) => {
  const nonsenses = [
    Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    Buffer.from('7fffffff00000000', 'hex'),
    Buffer.from('00000003000000', 'hex')
  ]
  for (const nonsense of nonsenses) {
    const broker = await ScriptedBroker.start(t, { peerProperties: (_, broker) => { broker.send(nonsense) } })
    await t.rejects(Connection.open(connectionOptions(broker.port)), {
      closedBy: 'fault',
      cause: { name: 'MalformedFrameError' }
    })
  }
})

async function refused (t: { fail (message: string): unknown }, port: number): Promise<AuthenticationError> {
  try {
    await Connection.open(connectionOptions(port))
  } catch (error) {
    if (error instanceof AuthenticationError) return error
    throw error
  }
  t.fail('the connection was opened')
  throw new Error('the connection was opened')
}
