import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { QUICKLY_IDLE, untilNothingIsLeft } from '../support/leftovers.ts'
import { until } from '../support/until.ts'
import { brokenPromises, ledgerLines, Workload } from '../support/workload/index.ts'

t.setTimeout(600_000)

const ROUNDS = Number(process.env['FAULT_ROUNDS'] ?? 20)

async function readiness (url: string): Promise<number> {
  const { status, body } = await fetch(`${url}/health/ready`)
  await body?.cancel()
  return status
}

function count (text: string, part: string): number {
  return text.split(part).length - 1
}

// The broker dies between publish and confirm.
t.test('no promise breaks when the broker is killed and restarted under load', async (t) => {
  const { node } = await startPrivateBroker(t)
  const env = {
    RABBITMQ_STREAM_URL: node.streamUrl,
    RABBITMQ_MANAGEMENT_URL: node.managementUrl,
    RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
    ...QUICKLY_IDLE
  }
  const gateway = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const workload = await Workload.start({ target: gateway })
  t.teardown(() => { workload.abandon() })
  // RabbitMQ 4.0.5 that is killed within a second of creating a stream does not find the stream again.
  await new Promise((resolve) => setTimeout(resolve, 2500))
  for (let round = 0; round < ROUNDS; round++) {
    await workload.untilConfirmed(200)
    await node.kill('SIGKILL')
    t.equal(await readiness(gateway.url), 503, `round ${round}: not ready while the broker is away`)
    await node.start()
    await until('ready again', async () => await readiness(gateway.url) === 200)
  }
  await workload.untilConfirmed(200)
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(`${ROUNDS} rounds, ${line}`)
  t.comment(`peak memory ${Math.round(gateway.peakResidentBytes / 2 ** 20)} MiB`)
  t.same(brokenPromises(report), [])
  await untilNothingIsLeft(gateway)
  t.same(await gateway.end(), { code: 0, signal: null })
})

t.test('no promise breaks when the broker is frozen longer than its heartbeats', async (t) => {
  const { node } = await startPrivateBroker(t)
  const env = {
    RABBITMQ_STREAM_URL: node.streamUrl,
    RABBITMQ_HEARTBEAT_SECONDS: '1',
    RABBITMQ_CONNECT_TIMEOUT_MS: '1000',
    RABBITMQ_MAX_RECONNECT_DELAY_MS: '500',
    ...QUICKLY_IDLE
  }
  const gateway = await GatewayProcess.start({ env, forgetsRequests: true })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const workload = await Workload.start({ target: gateway })
  t.teardown(() => { workload.abandon() })
  for (let round = 0; round < 2; round++) {
    await workload.untilConfirmed(200)
    const given = count(gateway.output, 'two heartbeat intervals')
    await node.kill('SIGSTOP')
    // A process stops when one of its threads runs next: on a busy machine another thread may answer before.
    await until('not ready while the broker is frozen', async () => await readiness(gateway.url) === 503, 5000)
    const isGivenUp = (): boolean => count(gateway.output, 'two heartbeat intervals') > given
    await until('a connection is given up for its heartbeats', isGivenUp)
    await node.kill('SIGCONT')
    await until('ready again', async () => await readiness(gateway.url) === 200)
  }
  await workload.untilConfirmed(200)
  const report = await workload.finish()
  for (const line of ledgerLines(report)) t.comment(line)
  t.same(brokenPromises(report), [])
  await untilNothingIsLeft(gateway)
  t.same(await gateway.end(), { code: 0, signal: null })
})
