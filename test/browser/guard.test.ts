import t from 'tap'
import { startGateway } from '../support/gateway.ts'
import { launchChromium } from '../support/chromium.ts'

const gateway = await startGateway(t)

t.test('Swagger UI shows every operation in a real browser', async (t) => {
  const browser = await launchChromium(t)
  const page = await browser.newPage()
  await page.goto(`${gateway.url}/docs`)
  await page.waitForSelector('.opblock')
  t.equal(await page.locator('.opblock').count() > 10, true)
})
