import t from 'tap'
import { hashOfKey, makeKey } from '../../src/access/keys/key.ts'
import { launchChromium } from '../support/chromium.ts'
import { startGateway } from '../support/gateway.ts'

const browser = await launchChromium(t)

t.test('a key that is given to Swagger UI is sent with what is tried out', async (t) => {
  const { id, key } = makeKey()
  const entry = { id, name: 'browser', hash: `sha256:${hashOfKey(key)}`, scopes: ['read:*/*'] }
  const gateway = await startGateway(t, { AUTH: 'api-keys', API_KEYS: JSON.stringify({ keys: [entry] }) })
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } })
  t.teardown(async () => { await page.close() })
  await page.goto(`${gateway.url}/docs`)
  const operation = page.locator('#operations-Operations-whoami')
  await operation.locator('.opblock-summary-control').click()

  const answers: Array<{ status: number, text: string }> = []
  const execute = async (): Promise<void> => {
    const answered = page.waitForResponse((response) => response.url().endsWith('/v1/whoami'))
    await operation.locator('button.execute').click()
    const response = await answered
    answers.push({ status: response.status(), text: await response.text() })
  }
  await page.locator('button.authorize').first().click()
  const bearer = page.locator('.auth-container', { hasText: 'bearer' })
  await bearer.locator('input').fill(key)
  await bearer.locator('button.authorize').click()
  await page.locator('button.btn-done').first().click()
  await execute()
  t.equal(answers[0]?.status, 200)
  t.match(JSON.parse(answers[0]?.text ?? ''), { caller: 'browser', scheme: 'api-key' })
})

t.test('the page offers the ways that are open, and none where nobody is asked', async (t) => {
  const open = await startGateway(t)
  const page = await browser.newPage()
  t.teardown(async () => { await page.close() })
  await page.goto(`${open.url}/docs`)
  await page.locator('.opblock').first().waitFor()
  t.equal(await page.locator('button.authorize').count(), 0)

  const closed = await startGateway(t, { AUTH: 'rabbitmq' })
  await page.goto(`${closed.url}/docs`)
  await page.locator('button.authorize').first().click()
  t.same(await page.locator('.auth-container h4 code').allInnerTexts(), ['bearer', 'basic'])
})
