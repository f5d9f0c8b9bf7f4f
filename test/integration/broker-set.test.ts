import t from 'tap'
import { startGateway } from '../support/gateway.ts'

t.test('counters do not go back while the broker of a caller is closed', async (t) => {
  const { app, newStream } = await startGateway(t)
  const stream = await newStream(t)
  const { brokers } = app
  const broker = brokers.openFor({ username: 'guest', password: 'guest' }, { whenRefused () {}, whenLost () {} })
  await broker.streams.describe(stream)
  const before = brokers.stats()
  const ending = [brokers.end(broker), brokers.end(broker)]
  t.equal(brokers.stats().connectionsOpened, before.connectionsOpened)
  await Promise.all(ending)
  const after = brokers.stats()
  t.equal(after.connectionsOpened, before.connectionsOpened)
  t.ok(after.connections < before.connections)
})
