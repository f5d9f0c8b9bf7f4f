import t from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { brokenPromises, ledgerLines, Workload } from '../support/workload/index.ts'

t.setTimeout(120_000)

const ROUNDS = 5

t.test('publishers, readers and consumers lose nothing when their gateway is killed and started again', async (t) => {
  const env = { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl(), ...QUICKLY_IDLE }
  let gateway = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const { url, port } = gateway
  const workload = await Workload.start({ target: { url } })
  t.teardown(() => { workload.abandon() })
  for (let round = 0; round < ROUNDS; round++) {
    await workload.untilConfirmed(1000)
    await gateway.end('SIGKILL')
    gateway = await GatewayProcess.start({ env: { ...env, HTTP_PORT: String(port) }, forgetsRequests: true })
  }
  await workload.untilConfirmed(1000)
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(line)
  t.same(brokenPromises(report), [])
  t.ok(report.named.confirmed > 0 && report.unnamed.confirmed > 0)
  await untilNothingIsLeft(gateway)
})
