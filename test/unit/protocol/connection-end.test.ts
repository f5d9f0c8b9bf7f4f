import t from 'tap'
import { answerFrame, frame, tuneAnswer } from './scripted-broker.ts'
import { confirm, open } from './scripted-connection.ts'

t.test('a broken socket rejects every pending request, and closed is called once', async (t) => {
  let closings = 0
  const { broker, connection } = await open(t, {}, { closed () { closings++ } })
  const asked = broker.next('createStream')
  const waiting = [
    connection.queryOffset('a', 's'), connection.metadata(['s']), connection.createStream('s', new Map())
  ]
  await asked
  broker.socket.resetAndDestroy()
  const outcomes = (await Promise.allSettled(waiting)).map((result) => ({ reason: undefined, ...result }))
  for (const { status, reason } of outcomes) {
    t.equal(status, 'rejected')
    t.match(reason, {
      name: 'ConnectionClosedError',
      closedBy: 'fault',
      cause: { code: 'ECONNRESET', message: /ECONNRESET/ }
    })
  }
  t.equal(connection.isOpen, false)
  await t.rejects(connection.queryOffset('a', 's'), { name: 'ConnectionClosedError', closedBy: 'fault' })
  t.throws(() => { connection.publish(0, 1, [Buffer.alloc(12)]) }, { name: 'ConnectionClosedError' })
  connection.credit(0, 1) // the broker never answers these
  connection.storeOffset('a', 's', 1n)
  await connection.close()
  t.equal(closings, 1)
})

t.test('a broker that ends the socket without Close is a peer that closed', async (t) => {
  const { broker, closed } = await open(t)
  broker.socket.end()
  t.match(await closed, { closedBy: 'peer', responseCode: undefined })
})

t.test("the broker's Close is answered and ends the connection with its code", async (t) => {
  const { broker, connection, closed } = await open(t)
  const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
  const answer = broker.next('close')
  broker.send(frame('close', (writer) => writer.u32(77).u16(14).string('frame too large')))
  const { bytes } = await answer
  t.same(bytes, Buffer.from('8016' + '0001' + '0000004d' + '0001', 'hex'))
  t.match(await closed, { closedBy: 'peer', responseCode: 14, message: /frameTooLarge \(14\): frame too large/ })
  t.equal(await pending, await closed)
})

t.test('close sends Close, lets pending requests be answered and settles when the socket is closed', async (t) => {
  let confirmed = 0
  const { broker, connection, closed } = await open(t, {
    queryOffset: ({ correlationId }, broker) => {
      broker.send(answerFrame('queryOffset', correlationId, 1, (writer) => writer.u64(3n)))
    },
    close: ({ correlationId }, broker) => { broker.send(confirm(1n), answerFrame('close', correlationId)) }
  }, { confirmed () { confirmed++ } })
  const goodbye = broker.next('close')
  const offset = connection.queryOffset('a', 's')
  const closing = connection.close('done here')
  const closingAgain = connection.close()
  t.equal(connection.isOpen, false)
  await t.rejects(connection.queryOffset('a', 's'), { name: 'ConnectionClosedError', closedBy: 'us' })
  t.equal(await offset, 3n)
  await Promise.all([closing, closingAgain])
  t.equal(confirmed, 1)
  const { reader } = await goodbye
  t.same([reader.u16(), reader.string()], [1, 'done here'])
  t.match(await closed, { closedBy: 'us', message: /done here/ })
  await connection.close()
})

t.test('close waits for its answer only until the deadline', async (t) => {
  const { connection, closed } = await open(t, { close () {} }, {}, { requestTimeoutMs: 30 })
  await connection.close()
  t.match(await closed, { closedBy: 'us' })
})

t.test('a socket that breaks while we close it counts as closed by us', async (t) => {
  const { connection, closed } = await open(t, { close: (_, broker) => { broker.socket.resetAndDestroy() } })
  await connection.close()
  t.match(await closed, { closedBy: 'us' })
})

t.test('destroy ends at once and rejects every pending request with its error', async (t) => {
  const { connection, closed } = await open(t)
  const cause = new Error('enough')
  const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
  connection.destroy(cause)
  connection.destroy()
  t.match(await closed, { closedBy: 'us', cause })
  t.equal(await pending, await closed)
  await connection.close()
})

t.test('a malformed frame ends its connection and nothing else', async (t) => {
  const cases: Array<[string, Buffer, RegExp]> = [
    ['an unknown command', frame('route'), /route in version 1, which is not understood/],
    ['a command that does not exist', Buffer.from('00000004' + '00ff' + '0001', 'hex'), /command 255 in version 1/],
    ['a newer version', frame('publishConfirm', (writer) => writer.u8(0).u32(0), 2), /publishConfirm in version 2/],
    ['a version of 0', frame('deliver', () => {}, 0), /deliver in version 0/],
    [
      'a confirm of more than there is', frame('publishConfirm', (writer) => writer.u8(0).u32(1_000_000)),
      /confirm of 1000000 messages in 0 bytes/
    ],
    ['a confirm of an id that cannot have been sent', confirm(9007199254740992n), /above 2\^53 - 1/],
    [
      'a string that is longer than the frame', frame('metadataUpdate', (writer) => writer.u16(6).u16(50)),
      /ends 50 bytes too early/
    ],
    ['a negative length', frame('metadataUpdate', (writer) => writer.u16(6).u16(0x8000)), /length of -32768/],
    ['a frame without a command', Buffer.from('0000000100', 'hex'), /1 bytes has no room/],
    ['a frame that is too large', Buffer.from('ffffffff0008', 'hex'), /4294967295 bytes/]
  ]
  for (const [what, bytes, message] of cases) {
    const { broker, connection, closed } = await open(t)
    const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
    broker.send(bytes)
    t.match(await closed, { closedBy: 'fault', cause: { name: 'MalformedFrameError', message } }, what)
    t.equal(await pending, await closed)
  }
})

t.test('an idle connection sends heartbeats and accepts those of the broker', async (t) => {
  const { broker, connection } = await open(t, { saslAuthenticate: tuneAnswer(1_048_576, 1) })
  for (let beats = 0; beats < 2; beats++) {
    const { bytes } = await broker.next('heartbeat')
    t.equal(bytes.toString('hex'), '00170001')
    broker.send(frame('heartbeat'))
  }
  t.equal(connection.isOpen, true)
})

t.test('a broker that is silent for two intervals ends the connection', async (t) => {
  const { connection, closed } = await open(t, { saslAuthenticate: tuneAnswer(1_048_576, 1) })
  const pending = connection.queryOffset('a', 's').catch((error: unknown) => error)
  t.match(await closed, { closedBy: 'fault', message: /two heartbeat intervals of 1 s/ })
  t.equal(await pending, await closed)
})
