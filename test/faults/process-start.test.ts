import t, { type Test } from 'tap'
import { testAmqpUrl, testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { until } from '../support/until.ts'

const { host: address, port: streamPort } = new URL(testStreamUrl().replace('rabbitmq-stream', 'http'))
const portOf = (url: string): string => new URL(url.replace(/^[a-z]+/, 'http')).port
const [closedPort] = await freePorts(1)

async function start (t: Test, env: Record<string, string>): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({ env: { ...env } })
  t.teardown(async () => await gateway.end('SIGKILL'))
  return gateway
}

const linesOf = (gateway: GatewayProcess, beginning: string): string[] =>
  gateway.log.map(({ msg }) => String(msg)).filter((msg) => msg.startsWith(beginning))

t.test('the outcome of the first connection is said without a request', async (t) => {
  const gateway = await start(t, { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() })
  await gateway.said(/connected to RabbitMQ \d+\.\d+/)
  t.same(linesOf(gateway, 'cannot use'), [])
})

t.test('a wrong setting of the broker is one line that says what to do, and ready gives the same reason', async (t) => {
  const wrong: Array<[what: string, url: string, line: RegExp]> = [
    ['nothing listens', `rabbitmq-stream://u:s3cret@127.0.0.1:${closedPort}`, /nothing listens .*Start the broker/],
    ['host', 'rabbitmq-stream://u:s3cret@host.invalid:5552', /host name .*not known.*RABBITMQ_STREAM_URL/],
    ['password', `rabbitmq-stream://guest:s3cret@${address}`, /user name or the password.*RABBITMQ_STREAM_URL/],
    ['virtual host', `rabbitmq-stream://guest:guest@${address}/s3cret`, /virtual host.*RABBITMQ_STREAM_URL/],
    ['AMQP', `rabbitmq-stream://u:s3cret@127.0.0.1:${portOf(testAmqpUrl())}`, /AMQP port.*5552.*RABBITMQ_STREAM_URL/],
    ['TLS', `rabbitmq-stream+tls://guest:s3cret@127.0.0.1:${streamPort}`, /does not answer in TLS.*rabbitmq-stream:/]
  ]
  await Promise.all(wrong.map(async ([what, url, line]) => {
    const gateway = await start(t, { RABBITMQ_STREAM_URL: url })
    const [said = ''] = await until(what, () => {
      const lines = linesOf(gateway, 'cannot use the broker')
      return lines.length > 0 && lines
    })
    t.match(said, line, what)
    t.notMatch(gateway.output, 's3cret')
    const [, reason = ''] = /^cannot use the broker at \S+: (.*?)\. [A-Z]/.exec(said) ?? []
    const ready = await fetch(`${gateway.url}/health/ready`)
    t.equal(ready.status, 503)
    t.match(await ready.json(), { detail: reason })
    t.equal(linesOf(gateway, 'cannot use the broker').length, 1, 'one line')
    await gateway.end()
  }))
})

t.test('a wrong setting of the management API is a warning, and the gateway is ready', async (t) => {
  const wrong: Array<[url: string, line: RegExp]> = [
    [testManagementUrl().replace('guest:guest', 'guest:s3cret'), /refused the user name or the password/],
    [`http://guest:s3cret@127.0.0.1:${closedPort}`, /did not answer/]
  ]
  for (const [url, line] of wrong) {
    const gateway = await start(t, { RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: url })
    await gateway.said(/cannot use the management API/)
    t.match(linesOf(gateway, 'cannot use the management API')[0], line)
    t.equal((await fetch(`${gateway.url}/health/ready`)).status, 200)
    t.notMatch(gateway.output, 's3cret')
    await gateway.end()
  }
})
