import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { check, gatewayFor, newLedger, publishUntil, untilConfirmed } from '../support/ledger.ts'
import { newStream, numbered, readAll, readOnce } from '../support/streams.ts'

t.setTimeout(200_000)

t.test('the leader of a stream with three replicas is killed under load', async (t) => {
  const { nodes } = await startPrivateBroker(t, { nodes: 3 })
  const broker = gatewayFor(t, nodes)
  const stream = await newStream(t, broker)
  const named = await newStream(t, broker)
  const [ledger, namedLedger] = [newLedger(), newLedger()]
  const stop = new AbortController()
  const publishing = [publishUntil(broker, stream, ledger, stop.signal), publishUntil(broker, named, namedLedger, stop.signal, 'p')]
  const read: string[] = []
  const reading = (async () => {
    for (let offset = 0; ;) {
      const isLast = stop.signal.aborted
      try {
        const batch = await readOnce(broker, stream, { type: 'offset', offset }, { limit: 500, waitMs: 200 })
        read.push(...batch.bodies)
        offset = batch.nextOffset
        if (isLast && batch.endOfStream) return
      } catch (error) {
        if (!(error instanceof Error && 'retryable' in error && error.retryable === true)) throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  })()
  await untilConfirmed(ledger, 2000, publishing)
  const { leader } = await broker.describeStream(stream)
  const leaderNode = nodes.find(({ streamPort }) => leader?.endsWith(`:${streamPort}`) === true)
  if (leaderNode === undefined) throw new Error(`no node is the leader ${leader}`)
  await leaderNode.kill('SIGKILL')
  await untilConfirmed(ledger, 500, publishing) // with two of three nodes
  await leaderNode.start()
  await untilConfirmed(ledger, 500, publishing)
  stop.abort()
  await Promise.all([...publishing, reading])
  check(t, read, ledger, false)
  const inOrder = await readAll(broker, named)
  check(t, inOrder, namedLedger, true)
  t.same(inOrder, numbered(inOrder.length).map((body) => `p ${body}`), 'in the order of their ids')
})
