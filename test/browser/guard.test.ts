import { once } from 'node:events'
import { createServer } from 'node:http'
import t, { type Test } from 'tap'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { launchChromium } from '../support/chromium.ts'

/** A web site with one empty page. */
async function startSite (t: Test): Promise<number> {
  const site = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<!doctype html><title>a page</title><body></body>')
  })
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  t.teardown(() => { site.close().closeAllConnections() })
  const address = site.address()
  if (address === null || typeof address === 'string') throw new Error('the site has no port')
  return address.port
}

const sitePort = await startSite(t)
const gateway = await startGateway(t, { CORS_ORIGINS: `http://friend.example:${sitePort}` })
const browser = await launchChromium(t, ['--host-resolver-rules=MAP *.example 127.0.0.1'])

async function stateOf (stream: string): Promise<unknown> {
  const offset = await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)
  const messages = await gateway.get(`/v1/streams/${stream}/messages`)
  return { offset: offset.json, messages: messages.json, status: messages.status }
}

async function prepare (t: Test, { newStream, publish, request }: Gateway): Promise<string> {
  const stream = await newStream(t)
  await publish(stream, 'kept', 'kept too')
  await request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset: 0 } })
  return stream
}

// Texts, since the types of a page are not those of Node.js.
const strangerScript = (base: string): string => `(async (base) => {
  const texts = []
  const consumer = base + '/consumers/c'
  const body = '{"messages":[{"body":1}],"to":"first","offset":1}'
  for (const [url, method, type] of [
    [base + '/messages/raw', 'POST', 'text/plain'],
    [base + '/messages/lines', 'POST', 'text/plain'],
    [base + '/messages', 'POST', 'application/json'],
    [base + '/messages', 'POST', 'application/x-ndjson'],
    [consumer + '/offset/reset', 'POST', 'application/json'],
    [consumer + '/offset', 'PUT', 'application/json'],
    [base, 'DELETE'],
    [base + '/messages', 'GET'],
    [consumer + '/messages?autoCommit=true', 'GET']
  ]) {
    for (const mode of ['cors', 'no-cors']) {
      try {
        const sent = type === undefined ? {} : { body, headers: { 'content-type': type } }
        texts.push(await (await fetch(url, { method, mode, ...sent })).text())
      } catch {}
    }
  }
  navigator.sendBeacon(base + '/messages/raw', 'x')
  navigator.sendBeacon(base + '/messages/lines', new Blob(['x'], { type: 'text/plain' }))
  for (const [name, src] of [
    ['img', consumer + '/messages?autoCommit=true&x=1'], ['script', base + '/messages/0/raw']
  ]) {
    await new Promise((resolve) => {
      const element = document.createElement(name)
      element.onload = element.onerror = resolve
      element.src = src
      document.body.append(element)
    })
  }
  return texts.join('')
})(${JSON.stringify(base)})`

const friendScript = (base: string): string => `(async (base) => {
  const statuses = []
  const exposed = []
  for (const [method, path, type, body] of [
    ['POST', '/messages', 'application/x-ndjson', '{"body":1}\\n{"body":2}\\n'],
    ['POST', '/messages/raw', 'text/plain', 'three'],
    ['GET', '/messages'],
    ['PUT', '/consumers/c/offset', 'application/json', '{"offset":1}'],
    ['POST', '/consumers/c/offset/reset', 'application/json', '{"to":"first"}'],
    ['GET', '/messages?limit=0'],
    ['DELETE', '']
  ]) {
    const sent = type === undefined ? {} : { body, headers: { 'content-type': type, 'app-property-kind': 'page' } }
    const answer = await fetch(base + path, { method, ...sent })
    statuses.push(answer.status)
    const next = answer.headers.get('stream-next-offset')
    if (next !== null) exposed.push(next)
    if (answer.status === 400) exposed.push((await answer.json()).code, answer.headers.has('x-request-id'))
  }
  return { statuses: statuses.join(), exposed: exposed.join() }
})(${JSON.stringify(base)})`

const formScript = (method: string, action: string): string => `(() => {
  const form = document.createElement('form')
  Object.assign(form, { action: ${JSON.stringify(action)}, method: '${method}', enctype: 'text/plain' })
  const field = document.createElement('input')
  Object.assign(field, { name: 'autoCommit', value: 'true' })
  form.append(field)
  document.body.append(form)
  form.submit()
})()`

for (const host of ['evil.example', 'localhost', '127.0.0.1']) {
  const origin = `http://${host}:${sitePort}`
  t.test(`a page of ${host} can change nothing and read nothing`, async (t) => {
    const stream = await prepare(t, gateway)
    const before = await stateOf(stream)
    const page = await browser.newPage()
    await page.goto(origin)
    const read = await page.evaluate(strangerScript(`${gateway.url}/v1/streams/${stream}`))
    t.equal(read, '', 'no answer can be read')
    for (const [method, path] of [
      ['post', 'messages/raw'], ['post', 'messages/lines'], ['get', 'consumers/c/messages']
    ] as const) {
      const page = await browser.newPage()
      await page.goto(origin)
      const navigated = page.waitForResponse((response) => response.url().includes(path))
      await page.evaluate(formScript(method, `${gateway.url}/v1/streams/${stream}/${path}`))
      t.equal((await navigated).status(), 403, `a form of ${path}`)
      await page.close()
    }
    t.same(await stateOf(stream), before)
    await page.close()
  })
}

t.test('a page that gives its own name the address of the gateway gets nothing', async (t) => {
  const stream = await prepare(t, gateway)
  const before = await stateOf(stream)
  const page = await browser.newPage()
  await page.goto(`http://rebound.example:${gateway.port}/docs/`)
  const statuses = await page.evaluate(async (stream) => {
    const statuses: number[] = []
    for (const [method, path] of [
      ['GET', '/messages'], ['DELETE', ''], ['POST', '/messages/raw'], ['GET', '/consumers/c/messages?autoCommit=true']
    ] as const) {
      const answer = await fetch(`/v1/streams/${stream}${path}`, { method, ...(method === 'POST' && { body: 'x' }) })
      statuses.push(answer.status)
    }
    return statuses
  }, stream)
  t.equal(statuses.join(), '421,421,421,421')
  t.same(await stateOf(stream), before)
  await page.close()
})

t.test('an allowed page can do everything', async (t) => {
  const stream = await gateway.newStream(t)
  const page = await browser.newPage()
  await page.goto(`http://friend.example:${sitePort}`)
  const done = await page.evaluate(friendScript(`${gateway.url}/v1/streams/${stream}`))
  t.same(done, { statuses: '200,200,200,200,200,400,204', exposed: '3,validation_failed,true' })
  await page.close()
})

t.test('Swagger UI on the gateway itself calls it', async (t) => {
  const stream = await gateway.newStream(t)
  const page = await browser.newPage()
  await page.goto(`${gateway.url}/docs`)
  await page.waitForSelector('.opblock')
  const status = await page.evaluate(async (stream) =>
    (await fetch(`/v1/streams/${stream}/messages/raw`, { method: 'POST', body: 'x' })).status, stream)
  t.equal(status, 200)
  await page.close()
})
