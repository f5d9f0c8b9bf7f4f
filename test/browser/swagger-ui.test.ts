import { randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchChromium } from '../support/chromium.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { pushSettings } from '../support/push-gateway.ts'
import { until } from '../support/until.ts'

// Dozens of operations, each tried in a browser.
t.setTimeout(480_000)

const IDS_A_PAGE = 12

// Everything but the page itself and what belongs to it.
const API = /^http:\/\/[^/]+\/(?!docs)/
const browser = await launchChromium(t)

type PageOptions = NonNullable<Parameters<typeof browser.newPage>[0]>

/** Swagger UI of a gateway whose stream names are free. What the page reports as an error fails the test. */
async function openDocs (t: Test, options: PageOptions = {}): Promise<Page> {
  return await openDocsOf(t, await startGateway(t, { STREAM_NAME_PATTERN: `docs-${randomUUID()}-{name}` }), options)
}

async function openDocsOf (t: Test, gateway: Gateway, options: PageOptions = {}): Promise<Page> {
  const page = await browser.newPage(options)
  t.teardown(async () => { await page.close() })
  page.on('console', (message) => { if (message.text().includes('Content Security')) t.fail(message.text()) })
  page.on('pageerror', (error) => t.fail(error.message))
  await page.goto(`${gateway.url}/docs`)
  await page.locator('.opblock').first().waitFor()
  return page
}

const READS = /-read(?:Messages|SuperStream|AsConsumer|SuperStreamAsConsumer)$/

// A webhook is a request of the gateway, not to it. No example can know a redrive or a message that fails.
// Subscriptions of super streams are like those of streams.
const UNTRIED = /^operations-webhooks-|Redrive|-skip|(?:SuperStreamSubscription|SuperStreamSecret)s?$/

t.test('every operation works when it is tried from top to bottom', async (t) => {
  const pattern = `docs-${randomUUID()}-{name}`
  const gateway = await startGateway(t, { ...pushSettings(t), STREAM_NAME_PATTERN: pattern })
  const ids = await operationIds(t, gateway)
  t.ok(ids.length >= 22)
  // A page that has shown many answers becomes slow.
  for (let first = 0; first < ids.length; first += IDS_A_PAGE) {
    const page = await openDocsOf(t, gateway)
    for (const id of ids.slice(first, first + IDS_A_PAGE)) await tryOperation(t, page, id)
    await page.close()
  }
})

/** The operations of the page that are tried, in its order. */
async function operationIds (t: Test, gateway: Gateway): Promise<string[]> {
  const page = await openDocsOf(t, gateway)
  const ids: string[] = []
  for (const operation of await page.locator('.opblock').all()) ids.push(await operation.getAttribute('id') ?? '')
  await page.close()
  return ids.filter((id) => !UNTRIED.test(id))
}

async function tryOperation (t: Test, page: Page, id: string): Promise<void> {
  const operation = page.locator(`[id="${id}"]`)
  await operation.locator('.opblock-summary-control').click()
  const answered = page.waitForResponse((response) => API.test(response.url()))
  await operation.locator('button.execute').click()
  const response = await answered
  const text = await response.text()
  t.ok(response.ok(), `${id}: ${response.status()} ${text}`.slice(0, 300))
  if (READS.test(id)) t.match(text, '"body"', `${id} shows what was published`)
  await operation.locator('.opblock-summary-control').click()
}

t.test('text can be read on a phone, and nothing is wider than it', async (t) => {
  const page = await openDocs(t, { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true })
  await page.locator('#operations-Publish-publishMessages .opblock-summary-control').click()
  await page.locator('button.execute').first().waitFor()
  t.equal(await page.evaluate('innerWidth'), 390)
  t.ok(Number(await page.evaluate('document.documentElement.scrollWidth')) <= 390)
})

t.test('the page follows the scheme of the system', async (t) => {
  const page = await openDocs(t, { colorScheme: 'dark' })
  t.match(await page.evaluate('document.documentElement.className'), 'dark-mode')
  await page.emulateMedia({ colorScheme: 'light' })
  const isLight = "!document.documentElement.classList.contains('dark-mode')"
  await until('the page is light', async () => await page.evaluate(isLight) === true)
})

t.test('an operation is short: problems are named and not shown one by one', async (t) => {
  const page = await openDocs(t, { viewport: { width: 1280, height: 900 } })
  const operation = page.locator('#operations-Read-readMessages')
  await operation.locator('.opblock-summary-control').click()
  await operation.locator('button.execute').waitFor()
  t.match(await operation.locator('tr.response[data-code="416"]').innerText(), 'offset_out_of_range')
  const { height } = await operation.boundingBox() ?? { height: Infinity }
  // A parameter takes some 120 pixels.
  const parameters = await operation.locator('tr[data-param-name]').count()
  t.ok(parameters > 5)
  t.ok(height < 1300 + 120 * parameters, `${height} px, ${parameters} parameters`)
  t.equal(await page.locator('.models .model-container').count(), 0, 'schemas are closed')
  t.equal(await page.locator('.operation-filter-input').count(), 1)
})
