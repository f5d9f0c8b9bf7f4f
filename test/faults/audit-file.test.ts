import { mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { testStreamUrl } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const folder = mkdtempSync(join(tmpdir(), 'audit-'))
t.teardown(() => { rmSync(folder, { recursive: true }) })

async function start (env: Record<string, string>): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({ env: { RABBITMQ_STREAM_URL: testStreamUrl(), ...env } })
  t.teardown(async () => { await gateway.end('SIGKILL') })
  return gateway
}

// Creates a stream and deletes it: two lines of the audit log.
async function change ({ url }: GatewayProcess, name: string): Promise<void> {
  for (const method of ['PUT', 'DELETE']) {
    const { status } = await fetch(`${url}/v1/streams/${name}`, { method })
    if (status >= 300) throw new Error(`${method} answered ${status}`)
  }
}

function linesIn (path: string): Array<Record<string, unknown>> {
  return readFileSync(path, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line))
}

t.test('the audit log in a file is appended to, and opened anew at SIGHUP', async (t) => {
  const path = join(folder, 'audit.log')
  const first = await start({ AUDIT_LOG_PATH: path })
  await change(first, 'audit-file-1')
  await until('the lines are written', () => linesIn(path).length === 2)
  t.match(linesIn(path), exactly(
    { level: 'info', audit: true, event: 'stream.created', stream: 'audit-file-1', status: 201, address: '127.0.0.1' },
    { audit: true, event: 'stream.deleted', stream: 'audit-file-1', status: 204 }
  ))
  t.equal(statSync(path).mode & 0o777, 0o600, 'others cannot read who does what')
  t.notMatch(first.output, /"audit":true/, 'the log does not have them too')
  renameSync(path, `${path}.1`)
  first.child.kill('SIGHUP')
  // Lines that come before the file is open again are in the old one: none is lost.
  for (let number = 0; linesOf(path).length === 0; number++) await change(first, `audit-file-2-${number}`)
  t.same(await first.end(), { code: 0, signal: null })
  const before = linesIn(path).length
  const second = await start({ AUDIT_LOG_PATH: path })
  await change(second, 'audit-file-3')
  t.same(await second.end(), { code: 0, signal: null })
  t.equal(linesIn(path).length, before + 2)
})

function linesOf (path: string): Array<Record<string, unknown>> {
  try {
    return linesIn(path)
  } catch {
    return []
  }
}

t.test('an audit log whose disk is full ends nothing', async (t) => {
  const gateway = await start({ AUDIT_LOG_PATH: '/dev/full' })
  for (let number = 0; number < 20; number++) await change(gateway, `audit-full-${number}`)
  t.equal((await fetch(`${gateway.url}/health/live`)).status, 200)
  t.same(await gateway.end(), { code: 0, signal: null })
})

t.test('a file that cannot be written stops the start', async (t) => {
  for (const path of [join(folder, 'no', 'such', 'folder'), folder]) {
    const gateway = new GatewayProcess({ env: { RABBITMQ_STREAM_URL: testStreamUrl(), AUDIT_LOG_PATH: path } })
    t.match(await gateway.ended, { code: 1 })
    t.match(gateway.output, /^Bad configuration: AUDIT_LOG_PATH names a file that cannot be written: E\w+\n$/)
  }
})

t.test('a log of warnings only has the lines of the audit log, in either format', async (t) => {
  for (const [format, pattern] of [
    ['json', /"level":"info".*"audit":true,"event":"stream.created"/],
    ['pretty', /INFO {2}audit .*event=stream.created .*stream=audit-level .*status=201/]
  ] as const) {
    // `start` waits for a line that this level does not have.
    const [port] = await freePorts(1)
    const gateway = new GatewayProcess({
      env: { RABBITMQ_STREAM_URL: testStreamUrl(), LOG_LEVEL: 'warn', LOG_FORMAT: format, HTTP_PORT: String(port) }
    })
    t.teardown(async () => { await gateway.end('SIGKILL') })
    const url = `http://127.0.0.1:${port}`
    await until('it listens', async () => await fetch(`${url}/health/live`).then(() => true, () => false))
    for (const method of ['PUT', 'DELETE']) await fetch(`${url}/v1/streams/audit-level`, { method })
    await gateway.end()
    t.match(gateway.output, pattern)
    t.notMatch(gateway.output, /request/)
  }
})
