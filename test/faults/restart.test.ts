import t from 'tap'
import type { PublishResult } from '../../src/streams/index.ts'
import { startPrivateBroker } from '../support/broker.ts'
import { check, gatewayFor, newLedger, publishUntil, untilConfirmed, untilUp } from '../support/ledger.ts'
import { batchOf, newStream, numbered, openBroker, readAll } from '../support/streams.ts'

t.setTimeout(200_000)

const ROUNDS = 3

t.test('a broker that is killed and restarted under load', async (t) => {
  const { node } = await startPrivateBroker(t)
  const broker = gatewayFor(t, [node])
  const stream = await newStream(t, broker)
  const named = await newStream(t, broker)
  const [ledger, namedLedger] = [newLedger(), newLedger()]
  const stop = new AbortController()
  const publishing = [publishUntil(broker, stream, ledger, stop.signal), publishUntil(broker, named, namedLedger, stop.signal, 'p')]
  // RabbitMQ 4.0.5 that is killed within a second of creating a stream does not find the stream again.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  for (let round = 0; round < ROUNDS; round++) {
    await untilConfirmed(ledger, 200, publishing)
    await node.kill('SIGKILL')
    t.match(await broker.status(), { state: 'down' }, `round ${round}: not ready while the broker is away`)
    await node.start()
    await untilUp(broker)
  }
  await untilConfirmed(ledger, 200, publishing)
  stop.abort()
  await Promise.all(publishing)
  check(t, await readAll(broker, stream), ledger, false)
  const inOrder = await readAll(broker, named)
  check(t, inOrder, namedLedger, true)
  t.same(inOrder, numbered(inOrder.length).map((body) => `p ${body}`), 'in the order of their ids')
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})

t.test('a broker that is frozen longer than its heartbeats', async (t) => {
  const { node } = await startPrivateBroker(t)
  const broker = openBroker(t, { hosts: [{ host: '127.0.0.1', port: node.streamPort }], management: undefined, heartbeatSeconds: 1, confirmTimeoutMs: 20_000 })
  const stream = await newStream(t, broker)
  await broker.publish(stream, batchOf(['before']))
  await node.kill('SIGSTOP')
  t.match(await broker.publish(stream, batchOf(['frozen'])), { confirmed: 0, failures: [{ status: 'unknown' }] })
  t.match(await broker.status(), { state: 'down' })
  await node.kill('SIGCONT')
  await untilUp(broker)
  let result: PublishResult | undefined
  for (let tries = 0; tries < 200 && result === undefined; tries++) {
    result = await broker.publish(stream, batchOf(['after'])).catch(() => undefined)
    if (result === undefined) await new Promise((resolve) => setTimeout(resolve, 50))
  }
  t.equal(result?.confirmed, 1)
  const stored = await readAll(broker, stream)
  t.equal(stored[0], 'before')
  t.equal(stored.filter((body) => body === 'after').length, 1)
  t.ok(stored.filter((body) => body === 'frozen').length <= 1)
})
