import t from 'tap'
import { clusterUrl, startPrivateBroker } from '../support/broker.ts'
import { PushFleet, ledgerOf } from '../support/push-fleet.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { until } from '../support/until.ts'

t.setTimeout(420_000)

const SUBSCRIPTIONS = 12
const COMMIT = { everyMs: 500, everyMessages: 20 }

t.test('nodes that stop, are drained or killed lose no delivery and change no order', async (t) => {
  const { nodes } = await startPrivateBroker(t, { nodes: 3 })
  const fleet = await PushFleet.start(t, {
    gateways: 2,
    env: {
      RABBITMQ_STREAM_URL: clusterUrl(nodes),
      RABBITMQ_MANAGEMENT_URL: nodes[0]?.managementUrl ?? '',
      RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
      RABBITMQ_REQUEST_TIMEOUT_MS: '3000',
      PUBLISH_CONFIRM_TIMEOUT_MS: '3000'
    }
  })
  const receiver = await startReceiver(t)
  const sources = await fleet.newSources(t, SUBSCRIPTIONS, receiver, { commit: COMMIT })
  const publish = async (count: number): Promise<void> => {
    await Promise.all(sources.map(async (source) => { await fleet.publish(source, count) }))
  }
  const untilDelivered = async (): Promise<number> => {
    const beganMs = performance.now()
    await until('everything is delivered', () => sources.every((source) => {
      return ledgerOf(receiver.deliveries, source).processed.at(-1) === source.published - 1
    }), 150_000)
    return performance.now() - beganMs
  }
  await publish(20)
  await untilDelivered()
  // Until then 4.0.5 may lose a stream whose node is killed.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  const [, second, third] = nodes
  const tell = async (command: string): Promise<void> => { await second?.tool('rabbitmq-upgrade', command) }
  for (const [what, down, up] of [
    ['stopped', async () => await second?.stop(), async () => await second?.start()],
    ['drained', async () => await tell('drain'), async () => await tell('revive')],
    ['killed', async () => await third?.kill('SIGKILL'), async () => await third?.start()]
  ] as const) {
    await down()
    await publish(10)
    t.comment(`a node is ${what}: delivered after ${Math.round(await untilDelivered())} ms`)
    await up()
    await publish(10)
    await untilDelivered()
  }
  let [missing, disordered] = [0, 0]
  for (const source of sources) {
    const { processed, outOfOrder } = ledgerOf(receiver.deliveries, source)
    missing += source.published - new Set(processed).size
    disordered += outOfOrder.length
  }
  t.equal(missing, 0, 'nothing is lost')
  t.equal(disordered, 0, 'the order is kept')
})
