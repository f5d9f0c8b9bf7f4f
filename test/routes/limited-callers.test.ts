import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { testStreamUrl } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { until } from '../support/until.ts'
import { newKey } from '../support/keyed-gateway.ts'

const open = await startGateway(t)
const stream = await open.newStream(t)
await open.publish(stream, 1, 2, 3)
const path = `/v1/streams/${stream}/messages`

const scopes = ['read:*/*']
const limited = newKey({ name: 'limited', scopes, limits: { requestsPerSecond: 1 } })
const free = newKey({ name: 'free', scopes, limits: { requestsPerSecond: 0 } })
const plain = newKey({ name: 'plain', scopes })
const API_KEYS = JSON.stringify({ keys: [limited.entry, free.entry, plain.entry] })

async function startWithKeys (t: Test, env: Record<string, string> = {}): Promise<Gateway> {
  return await startGateway(t, { AUTH: 'api-keys', API_KEYS, ...env })
}

function as ({ key }: { key: string }): Record<string, string> {
  return { authorization: `Bearer ${key}` }
}

t.test('the limits of a key hold for its caller alone, without any setting', async (t) => {
  const gateway = await startWithKeys(t)
  const statuses = async (key: { key: string }) => await Promise.all(Array.from({ length: 6 }, async () => {
    return (await gateway.get(path, as(key))).status
  }))
  t.same((await statuses(limited)).filter((status) => status === 429).length >= 3, true)
  t.same(await statuses(plain), [200, 200, 200, 200, 200, 200])
  t.match((await gateway.get(path, as(limited))).headers, { 'ratelimit-policy': '"requests";q=2;w=2' })
  t.notOk('ratelimit' in (await gateway.get(path, as(plain))).headers)
  t.equal((await gateway.get(path)).status, 401, 'a stranger has no quota, and is not told of any')
})

t.test('the settings hold for callers without limits of their own', async (t) => {
  const gateway = await startWithKeys(t, { QUOTA_REQUESTS_PER_SECOND: '3' })
  for (const [key, policy] of [
    [limited, '"requests";q=2;w=2'], [plain, '"requests";q=6;w=2'], [free, undefined]
  ] as const) t.equal((await gateway.get(path, as(key))).headers['ratelimit-policy'], policy)
})

t.test('the audit log tells who was seen and who was refused, and has no credential', async (t) => {
  const gateway = await startWithKeys(t)
  const unknown = newKey()
  await gateway.get(path, as(plain))
  for (let count = 0; count < 5; count++) {
    await gateway.get(path, as(plain))
    await gateway.get(path, as(unknown))
    await gateway.request('DELETE', `/v1/streams/${stream}`, { headers: as(plain) })
  }
  await gateway.get(path)
  for (let count = 0; count < 5; count++) await gateway.get(path, as(limited))
  const audited = () => gateway.log.filter(({ audit }) => audit === true)
  const at = { address: '127.0.0.1', stream }
  t.match(audited(), exactly(
    { event: 'auth.first_seen', caller: 'plain', credential: plain.entry.id, scheme: 'api-key', ...at },
    { event: 'auth.refused', reason: 'API key unknown', operationId: 'readMessages', ...at },
    { event: 'access.refused', caller: 'plain', reason: /"configure"/, operationId: 'deleteStream', ...at },
    { event: 'auth.refused', reason: 'no credential' },
    { event: 'auth.first_seen', caller: 'limited' }
  ), 'a used up quota is no refusal of access')
  await gateway.app.close()
  t.match(audited().slice(5), exactly(
    { event: 'auth.refused', reason: 'API key unknown', repeated: 4, seconds: 10 },
    { event: 'access.refused', caller: 'plain', repeated: 4 }
  ))
  const text = JSON.stringify(gateway.log)
  for (const { key, entry } of [plain, unknown, limited]) {
    t.notOk(text.includes(key.slice(13)) || text.includes(entry.hash.slice(7)))
  }
})

t.test('the audit log tells that the file of keys was read again', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keys-'))
  t.teardown(() => { rmSync(folder, { recursive: true }) })
  const file = join(folder, 'keys.json')
  writeFileSync(file, API_KEYS)
  const gateway = await GatewayProcess.start({
    env: {
      RABBITMQ_STREAM_URL: testStreamUrl(), AUTH: 'api-keys', API_KEYS_PATH: file, AUDIT_LOG_PATH: join(folder, 'a')
    }
  })
  t.teardown(async () => { await gateway.end('SIGKILL') })
  writeFileSync(file, JSON.stringify({ keys: [plain.entry] }))
  gateway.child.kill('SIGHUP')
  await until('the file is read', () => gateway.output.includes('a file was read again'))
  t.same(await gateway.end(), { code: 0, signal: null })
  t.match(readLines(join(folder, 'a')), exactly({ audit: true, event: 'keys.reloaded', keys: 1 }))
})

function readLines (file: string): unknown[] {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))
}
