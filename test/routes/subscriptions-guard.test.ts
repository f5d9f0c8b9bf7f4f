import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { pushSettings } from '../support/push-gateway.ts'
import { startReceiver } from '../support/push-receiver.ts'
import { record } from '../support/schema-values.ts'
import { newSource } from '../support/subscriptions.ts'
import { until } from '../support/until.ts'

// As it is without any permission: https alone, and public addresses alone.
const gateway = await startGateway(t, { ...pushSettings(t), PUSH_ALLOW_HTTP: 'false', PUSH_ALLOWED_NETWORKS: '' })
const { path, stream } = await newSource(t, gateway)

const ADDRESS = 'must have a public address'
const PORT = 'must have port 80, 443, or one from 1024 on'
const HTTPS = 'must begin with https://'

/** What a caller may try, to reach with the gateway what only the gateway can reach. */
const REFUSED: ReadonlyArray<readonly [what: string, url: string, why: string]> = [
  ['loopback', 'https://127.0.0.1/', ADDRESS],
  ['loopback, another one', 'https://127.255.255.254/', ADDRESS],
  ['short', 'https://127.1/', ADDRESS],
  ['shorter', 'https://0/', ADDRESS],
  ['decimal', 'https://2130706433/', ADDRESS],
  ['hexadecimal', 'https://0x7f000001/', ADDRESS],
  ['hexadecimal parts', 'https://0x7f.0x0.0x0.0x1/', ADDRESS],
  ['octal', 'https://0177.0.0.1/', ADDRESS],
  ['octal, whole', 'https://017700000001/', ADDRESS],
  ['a dot at the end', 'https://127.0.0.1./', ADDRESS],
  ['full-width digits', 'https://１２７.０.０.１/', ADDRESS],
  ['escaped', 'https://127%2e0%2e0%2e1/', ADDRESS],
  ['unspecified', 'https://0.0.0.0/', ADDRESS],
  ['broadcast', 'https://255.255.255.255/', ADDRESS],
  ['private, 10', 'https://10.1.2.3/', ADDRESS],
  ['private, 172', 'https://172.31.255.255/', ADDRESS],
  ['private, 192', 'https://192.168.0.1/', ADDRESS],
  ['carrier-grade NAT', 'https://100.64.0.1/', ADDRESS],
  ['metadata of a cloud', 'https://169.254.169.254/latest/meta-data', ADDRESS],
  ['metadata, decimal', 'https://2852039166/', ADDRESS],
  ['benchmarks', 'https://198.18.0.1/', ADDRESS],
  ['documentation', 'https://203.0.113.1/', ADDRESS],
  ['multicast', 'https://224.0.0.1/', ADDRESS],
  ['reserved', 'https://240.0.0.1/', ADDRESS],
  ['loopback of IPv6', 'https://[::1]/', ADDRESS],
  ['unspecified of IPv6', 'https://[::]/', ADDRESS],
  ['mapped', 'https://[::ffff:127.0.0.1]/', ADDRESS],
  ['mapped, hexadecimal', 'https://[::ffff:7f00:1]/', ADDRESS],
  ['compatible', 'https://[::127.0.0.1]/', ADDRESS],
  ['translated', 'https://[::ffff:0:127.0.0.1]/', ADDRESS],
  ['NAT64', 'https://[64:ff9b::127.0.0.1]/', ADDRESS],
  ['NAT64, local', 'https://[64:ff9b:1::7f00:1]/', ADDRESS],
  ['6to4', 'https://[2002:7f00:1::]/', ADDRESS],
  ['Teredo', 'https://[2001:0:4136:e378:8000:63bf:80ff:fffe]/', ADDRESS],
  ['unique local', 'https://[fd00:ec2::254]/', ADDRESS],
  ['link-local', 'https://[fe80::1]/', ADDRESS],
  ['site-local', 'https://[fec0::1]/', ADDRESS],
  ['multicast of IPv6', 'https://[ff02::1]/', ADDRESS],
  ['documentation of IPv6', 'https://[2001:db8::1]/', ADDRESS],
  ['mail', 'https://hooks.example.com:25/', PORT],
  ['SSH', 'https://hooks.example.com:22/', PORT],
  ['no TLS', 'http://hooks.example.com/', HTTPS],
  ['a file', 'file:///etc/passwd', HTTPS],
  ['gopher', 'gopher://hooks.example.com:70/', HTTPS],
  ['a user', 'https://a@hooks.example.com/', 'must not have a user or a password: send a header instead'],
  ['a user that looks like a host', 'https://hooks.example.com@127.0.0.1/', 'must not have a user or a password'],
  ['a fragment', 'https://hooks.example.com/#a', 'must not have a fragment'],
  ['no URL', 'https://', 'must be an absolute URL'],
  ['no number', 'https://1.2.3.4.5/', 'must be an absolute URL']
]

t.test('a URL that leads inside is refused over HTTP, and the answer says why', async (t) => {
  for (const [what, url, why] of REFUSED) {
    const { json, text } = await gateway.request('PUT', `${path}/s`, { json: { url } })
    t.match(json, { status: 400, code: 'validation_failed', errors: exactly({ pointer: '/url' }) }, what)
    t.ok(text.includes(why), `${what}: ${text}`)
  }
  t.equal((await gateway.get(`${path}/s`)).status, 404)
})

t.test('a change of the URL is judged as a new one is', async (t) => {
  const url = 'https://hooks.example.com/'
  t.equal((await gateway.request('PUT', `${path}/s`, { json: { url, paused: true } })).status, 201)
  for (const [what, inside] of REFUSED) {
    t.equal((await gateway.request('PATCH', `${path}/s`, { json: { url: inside } })).status, 400, what)
  }
  t.match((await gateway.get(`${path}/s`)).json, { url })
})

t.test('a name that leads inside is refused at the connection, and not tried again soon', async (t) => {
  for (const host of ['localhost', 'LOCALHOST']) {
    const json = { url: `https://${host}:${gateway.port}/`, paused: true }
    t.equal((await gateway.request('PUT', `${path}/s`, { json })).status, 200)
    t.match((await gateway.request('POST', `${path}/s/test`)).json, {
      isDelivered: false, class: 'endpoint', error: /has an address that is not public/
    }, host)
  }
  const retry = { initialDelayMs: 1000, maxDelayMs: 600_000 }
  await gateway.publish(stream, 'a')
  await gateway.request('PUT', `${path}/t`, { json: { url: 'https://localhost:8443/', start: 'first', retry } })
  const status = await until('it has failed', async () => {
    const shown = record(record((await gateway.get(`${path}/t`)).json)['status'])
    return shown['state'] === 'failing' && shown
  })
  const { at } = record(status['lastFailure'])
  t.match(status, { lastFailure: { class: 'endpoint', error: /not public/ } })
  t.ok(Date.parse(String(status['nextAttemptAt'])) - Date.parse(String(at)) > 500_000)
})

t.test('an endpoint that the settings no longer allow gets nothing until they allow it again', async (t) => {
  const receiver = await startReceiver(t)
  const settings = pushSettings(t)
  const first = await startGateway(t, settings)
  const { path, stream } = await newSource(t, gateway)
  const fields = { url: receiver.url, retry: { initialDelayMs: 100, maxDelayMs: 200 } }
  t.equal((await first.request('PUT', `${path}/a`, { json: fields })).status, 201)
  await gateway.publish(stream, 0)
  await receiver.received(1)
  // The message that is tried is tried further, wherever the gateway has stopped meanwhile.
  receiver.react(503)
  await gateway.publish(stream, 1)
  await receiver.received(2)
  await first.app.close()
  receiver.react(204)
  const before = receiver.deliveries.length
  for (const [closed, why] of [
    [{ PUSH_ALLOW_HTTP: 'false' }, HTTPS], [{ PUSH_ALLOWED_NETWORKS: '' }, ADDRESS]
  ] as const) {
    const reason = `the settings of the gateway refuse the URL: it ${why}`
    const { app, get, request } = await startGateway(t, { ...settings, ...closed })
    const status = await until('it is blocked', async () => {
      const shown = record(record((await get(`${path}/a`)).json)['status'])
      return shown['state'] === 'blocked' && shown
    })
    t.match(status, { state: 'blocked', reason })
    t.match((await request('POST', `${path}/a/test`)).json, { isDelivered: false, class: 'endpoint', error: reason })
    t.match(await request('POST', `${path}/a/pause`), { status: 200 })
    t.match((await request('POST', `${path}/a/resume`)).json, { paused: false })
    await app.close()
  }
  t.equal(receiver.deliveries.length, before)
  await startGateway(t, settings)
  await until('it continues', () => receiver.processed.length === 2)
  const processed = receiver.deliveries.filter(({ answered }) => answered === 204)
  t.match(processed, exactly({ json: { body: 0 } }, { json: { body: 1 } }))
})
