import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { adminKey, keyFile, newKey, startKeyedGateway, type TestKey } from '../support/keyed-gateway.ts'
import { askRaw, openRaw } from '../support/raw-http.ts'
import { until } from '../support/until.ts'

async function newStream (t: Test, { request }: Gateway, { headers }: TestKey): Promise<string> {
  const path = `/v1/streams/test-${randomUUID()}`
  const { status, text } = await request('PUT', path, { headers })
  if (status !== 201) throw new Error(`the stream could not be created: ${text}`)
  t.teardown(async () => { await request('DELETE', path, { headers }).catch(() => {}) })
  return path
}

t.test('a body that was still arriving when its key was removed changes nothing', async (t) => {
  const [admin, old] = [adminKey(), adminKey()]
  const { gateway, replaceFile } = await startKeyedGateway(t, admin, old)
  const path = await newStream(t, gateway, admin)
  const created = `/v1/streams/test-${randomUUID()}`
  await gateway.request('POST', `${path}/messages`, { headers: admin.headers, json: { messages: [{ body: 1 }] } })
  const bodies = [
    ['PUT', `${path}/consumers/c/offset`, '{"offset":0}'],
    ['POST', `${path}/consumers/c/offset/reset`, '{"to":"next"}'],
    ['PUT', created, '{"maxAge":"7D"}'],
    ['POST', `${path}/messages`, '{"messages":[{"body":2}]}'],
    ['POST', `${path}/messages/raw`, '{"body":3}']
  ] as const
  const arriving = await Promise.all(bodies.map(async ([method, path, body]) => {
    const connection = await openRaw(t, gateway.port)
    connection.send(`${method} ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${old.key}\r\n` +
      `content-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`)
    connection.send(body.slice(0, 5))
    return { ...connection, rest: body.slice(5) }
  }))
  await until('all bodies have begun', () => gateway.app.totalBodyBytes() > 0)
  await replaceFile(keyFile(admin))
  for (const { send, rest, closed } of arriving) {
    send(rest)
    t.match(await closed(), /^HTTP\/1\.1 401 [^]*"code":"unauthorized"[^]*"sideEffects":"none"/)
  }
  const { json } = await gateway.get(`${path}/messages?offset=first`, admin.headers)
  t.equal(Object(json).messages.length, 1)
  t.equal((await gateway.get(`${path}/consumers/c/offset`, admin.headers)).status, 404)
  t.equal((await gateway.get(created, admin.headers)).status, 404)
})

t.test('a read that has stored a commit says so when its key is removed while it waits', async (t) => {
  const [admin, old] = [adminKey(), adminKey()]
  const { gateway, replaceFile } = await startKeyedGateway(t, admin, old)
  const path = await newStream(t, gateway, admin)
  await gateway.request('POST', `${path}/messages`, { headers: admin.headers, json: { messages: [{ body: 1 }] } })
  const reading = gateway.get(`${path}/consumers/c/messages?commit=0&wait=30`, old.headers)
  await until('the commit', async () => {
    return (await gateway.get(`${path}/consumers/c/offset`, admin.headers)).status === 200
  })
  await replaceFile(keyFile(admin))
  const { status, json } = await reading
  t.equal(status, 401)
  t.match(json, { code: 'unauthorized', sideEffects: 'possible' })
  const refused = gateway.log.filter(({ event }) => event === 'auth.refused')
  t.same(refused.map(({ reason }) => reason), [`${old.entry.id} was removed`])
})

t.test('a connection of many callers, such as a proxy has, leaves no listeners behind', async (t) => {
  const keys = Array.from({ length: 30 }, () => newKey())
  const { gateway } = await startKeyedGateway(t, adminKey(), ...keys)
  const warnings: string[] = []
  const warn = ({ message }: Error): void => { warnings.push(message) }
  process.on('warning', warn)
  t.teardown(() => { process.off('warning', warn) })
  const path = `/v1/streams/none-${randomUUID()}/messages`
  const requests = keys.map(({ headers }) =>
    `GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: ${headers.authorization}\r\n\r\n`)
  const last = 'GET /health/live HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n'
  const answers = await askRaw(gateway.port, requests.join('') + last)
  t.equal(answers.match(/HTTP\/1\.1 404 /g)?.length, keys.length)
  await new Promise((resolve) => { setImmediate(resolve) })
  t.same(warnings, [])
})

t.test('two credentials are refused also in an HTTP/1.0 request without a Host', async (t) => {
  const key = newKey()
  const { gateway } = await startKeyedGateway(t, key)
  const header = `authorization: ${key.headers.authorization}\r\n`
  t.match(await askRaw(gateway.port, `GET /v1/whoami HTTP/1.0\r\n${header}${header}\r\n`), /^HTTP\/1\.1 400 /)
  t.match(await askRaw(gateway.port, `GET /v1/whoami HTTP/1.0\r\n${header}\r\n`), /^HTTP\/1\.1 200 /)
})

t.test('what a key has changed before it was removed is in the audit log', async (t) => {
  const [admin, old] = [adminKey(), adminKey()]
  const path = join(t.testdir({ 'keys.json': keyFile(admin, old) }), 'keys.json')
  const gateway = await startGateway(t, { AUTH: 'api-keys', API_KEYS_PATH: path, AUDIT_LOG: 'all' })
  const stream = await newStream(t, gateway, admin)
  const over = new AbortController()
  t.teardown(() => { over.abort() })
  async function * body (): AsyncGenerator<Buffer> {
    yield Buffer.from('stored\n')
    await once(over.signal, 'abort')
  }
  const { headers } = old
  const ending = [gateway.request('POST', `${stream}/messages/lines`, { headers, body: body() })]
  await until('the line is stored', async () => {
    return (await gateway.get(`${stream}/messages/lines?offset=first`, admin.headers)).text === 'stored\n'
  })
  ending.push(gateway.get(`${stream}/consumers/c/messages?commit=0&wait=30`, headers))
  await until('the offset is stored', async () => {
    return (await gateway.get(`${stream}/consumers/c/offset`, admin.headers)).status === 200
  })
  writeFileSync(path, keyFile(admin))
  await gateway.app.reloadFiles()
  t.same((await Promise.all(ending)).map(({ status }) => status), [401, 401])
  over.abort()
  const lines = () => gateway.log.filter(({ audit, status }) => audit === true && status === 401)
  await until('the lines', () => lines().length === 2)
  t.same(lines().map(({ event, caller, credential }) => `${event} ${caller} ${credential}`).sort(), [
    `offset.stored admin ${old.entry.id}`, `publish admin ${old.entry.id}`
  ])
})
