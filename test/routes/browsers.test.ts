import t from 'tap'
import { startGateway } from '../support/gateway.ts'

// Bodies that a browser could run or load. Who publishes decides their content type.
const gateway = await startGateway(t)

async function rawAnswerTo (contentType: string): Promise<Record<string, unknown>> {
  const stream = await gateway.newStream(t)
  const headers = { 'content-type': contentType }
  await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, { headers, body: 'alert(1)' })
  const answer = await gateway.get(`/v1/streams/${stream}/messages/0/raw`)
  t.equal(answer.headers['content-type'], contentType)
  return answer.headers
}

t.test('a body that a browser could run is saved by it, and not shown', async (t) => {
  for (const type of [
    'text/html', 'TEXT/HTML; charset=utf-8', 'application/xhtml+xml', 'image/svg+xml', 'text/xml', 'application/xml',
    'application/rss+xml', 'text/javascript', 'application/javascript', 'text/css', 'application/pdf',
    'application/wasm', 'multipart/x-mixed-replace;boundary=x', 'text/vnd.unknown', 'application/x-shockwave-flash'
  ]) {
    t.match(await rawAnswerTo(type), { 'content-disposition': 'attachment' }, type)
  }
})

t.test('a body that a browser only shows is shown', async (t) => {
  for (const type of [
    'application/json', 'application/json; charset=utf-8', 'text/plain', 'text/csv', 'image/png', 'audio/ogg',
    'application/octet-stream', 'application/x-ndjson'
  ]) {
    t.equal((await rawAnswerTo(type))['content-disposition'], undefined, type)
  }
})

t.test('no answer can be loaded by a page of another origin, or taken for another type', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 'alert(1)')
  const path = `/v1/streams/${stream}/messages`
  const urls = [path, `${path}/lines`, `${path}/0`, `${path}/0/raw`, '/health/live', '/metrics', '/nowhere', '/%']
  for (const url of urls) {
    t.match((await gateway.get(url)).headers, {
      'cross-origin-resource-policy': 'same-origin',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff'
    }, url)
  }
})

t.test('no page for people is framed, stored, or named to the next site', async (t) => {
  for (const url of ['/', '/docs/', '/problems/overloaded']) {
    const { status, headers } = await gateway.get(url, { accept: 'text/html' })
    t.equal(status, 200, url)
    t.match(headers, {
      'content-type': /^text\/html/,
      'content-security-policy': /^default-src 'none'.*; frame-ancestors 'none'$/,
      'cache-control': 'no-store',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff'
    }, url)
  }
})
