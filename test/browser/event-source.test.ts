import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { launchChromium } from '../support/chromium.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf } from '../support/live-client.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const publisher = await startGateway(t)
const browser = await launchChromium(t)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

// The page keeps what its EventSource got. It says nothing of reconnecting: that is the browser's part.
const SCRIPT = `
  window.got = { offsets: [], byes: [], ids: [], opens: 0, states: 0 }
  const source = new EventSource(new URLSearchParams(location.search).get('url'))
  source.onopen = () => { got.opens++ }
  source.onmessage = ({ data, lastEventId }) => {
    got.offsets.push(JSON.parse(data).offset)
    got.ids.push(lastEventId)
  }
  source.addEventListener('bye', ({ data }) => { got.byes.push(JSON.parse(data).reason) })
  source.addEventListener('state', () => { got.states++ })`

/** A page of another origin. */
async function servePage (t: Test): Promise<string> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end(`<!doctype html><script>${SCRIPT}</script>`)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('the page has no address')
  return `http://127.0.0.1:${address.port}`
}

t.test('an EventSource of a browser sees everything once, through kills and rotations of the gateway', async (t) => {
  const origin = await servePage(t)
  const start = async (port: number): Promise<GatewayProcess> => {
    const gateway = await GatewayProcess.start({
      env: {
        AUTH: 'none',
        HTTP_PORT: String(port),
        RABBITMQ_STREAM_URL: testStreamUrl(),
        RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
        CORS_ORIGINS: origin,
        LIVE_MAX_DURATION_MS: '2000'
      }
    })
    t.teardown(async () => { await gateway.end('SIGKILL') })
    return gateway
  }
  let gateway = await start(0)
  const { port } = gateway
  const stream = await publisher.newStream(t)
  const tab = await browser.newPage()
  t.teardown(async () => { await tab.close() })
  tab.on('pageerror', (error) => t.fail(error.message))
  const url = `${gateway.url}/v1/streams/${stream}/messages?offset=first&errors=event`
  await tab.goto(`${origin}/?url=${encodeURIComponent(url)}`)
  const got = async (): Promise<unknown> => await tab.evaluate('got')
  const gotOf = async (name: string): Promise<unknown[]> => {
    const list = fieldOf(await got(), name)
    return Array.isArray(list) ? list : []
  }
  let count = 0
  const publish = async (): Promise<void> => {
    t.equal((await publisher.publish(stream, count, 'b', 'c')).status, 200)
    count += 3
    await until('they have come', async () => (await gotOf('offsets')).length >= count)
  }
  await publish()
  const byes = (await gotOf('byes')).length
  await until('it was ended by a rotation', async () => (await gotOf('byes')).length > byes)
  await publish()
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await gateway.end(signal)
    gateway = await start(port)
    await publish()
  }
  t.same(await gotOf('offsets'), upTo(count))
  t.same(await gotOf('ids'), upTo(count).map((offset) => String(offset + 1)))
  t.ok((await gotOf('byes')).includes('rotation'))
  t.ok(Number(fieldOf(await got(), 'opens')) >= 4)
  t.ok(Number(fieldOf(await got(), 'states')) >= 4)
})
