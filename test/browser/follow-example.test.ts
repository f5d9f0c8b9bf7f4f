import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { launchChromium } from '../support/chromium.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { adminKey } from '../support/keyed-gateway.ts'

const page = readFileSync('examples/browser/follow.html')
const browser = await launchChromium(t)

/** The page, from an origin that is not the gateway's. */
async function servePage (t: Test): Promise<string> {
  const server = createServer((_request, response) => { response.setHeader('content-type', 'text/html').end(page) })
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

/** Follows in the page, across a cut of every connection, and returns what the page shows. */
async function follow (t: Test, gateway: Gateway, origin: string, stream: string, key: string): Promise<string[]> {
  const headers: Record<string, string> = key === '' ? {} : { authorization: `Bearer ${key}` }
  const publish = async (...bodies: number[]): Promise<void> => {
    const messages = bodies.map((body) => ({ body }))
    const { status } = await gateway.request('POST', `/v1/streams/${stream}/messages`, { headers, json: { messages } })
    t.equal(status, 200)
  }
  await gateway.request('PUT', `/v1/streams/${stream}`, { headers })
  await publish(1, 2)
  const tab = await browser.newPage({ viewport: { width: 390, height: 844 } })
  t.teardown(async () => { await tab.close() })
  tab.on('pageerror', (error) => t.fail(error.message))
  await tab.goto(origin)
  await tab.fill('[name=gateway]', gateway.url)
  await tab.fill('[name=stream]', stream)
  await tab.fill('[name=key]', key)
  await tab.click('button:text("Follow")')
  await tab.locator('li').nth(1).waitFor()
  gateway.app.server.closeAllConnections()
  await publish(3)
  await tab.locator('li').nth(2).waitFor()
  await publish(4)
  await tab.locator('li').nth(3).waitFor()
  t.match(await tab.locator('#state').innerText(), /\S/)
  t.equal(await tab.evaluate('document.documentElement.scrollWidth'), 390)
  await tab.click('#stop')
  await gateway.request('DELETE', `/v1/streams/${stream}`, { headers })
  return await tab.locator('li').allInnerTexts()
}

t.test('a page follows a stream by EventSource, across a cut', async (t) => {
  const origin = await servePage(t)
  const gateway = await startGateway(t, { CORS_ORIGINS: origin })
  t.same(await follow(t, gateway, origin, 'follow-example', ''), ['1', '2', '3', '4'])
})

t.test('a page follows a stream by fetch, with a key, across a cut', async (t) => {
  const origin = await servePage(t)
  const { key, entry } = adminKey()
  const gateway = await startGateway(t, {
    AUTH: 'api-keys', API_KEYS: JSON.stringify({ keys: [entry] }), CORS_ORIGINS: origin
  })
  t.same(await follow(t, gateway, origin, 'follow-example-key', key), ['1', '2', '3', '4'])
})
