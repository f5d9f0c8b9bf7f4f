import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import t, { type Test } from 'tap'
import { gatewayCommand } from '../../scripts/setup/gateway-command.mjs'
import { projectDirectory } from '../../scripts/setup/paths.mjs'
import { hashOfKey, idOfKey } from '../../src/access/keys/key.ts'
import { testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { keyFile, newKey, type TestKey } from '../support/keyed-gateway.ts'

function start (t: Test, env: Record<string, string>): GatewayProcess {
  const gateway = new GatewayProcess({ env: { RABBITMQ_STREAM_URL: testStreamUrl(), ...env } })
  t.teardown(async () => await gateway.end('SIGKILL'))
  return gateway
}

/** Runs a program to its end, with a text as its standard input. */
async function run ([program = '', ...args]: readonly string[], stdin = '') {
  const child = spawn(program, args, { cwd: projectDirectory, stdio: ['pipe', 'pipe', 'pipe'] })
  child.stdin.end(stdin)
  const [stdout, stderr, code] = await Promise.all([
    text(child.stdout), text(child.stderr), new Promise((resolve) => { child.on('close', resolve) })
  ])
  return { stdout, stderr, code }
}

async function statusFor ({ url }: GatewayProcess, { headers }: TestKey): Promise<number> {
  return (await fetch(`${url}/v1/whoami`, { headers })).status
}

t.test('a process that asks for keys and has none ends with one line that says what to set', async (t) => {
  const gateway = start(t, { AUTH: 'api-keys' })
  t.same(await gateway.ended, { code: 1, signal: null })
  t.match(gateway.output, /^Bad configuration: AUTH lists api-keys, which needs API_KEYS_PATH or API_KEYS\n$/)
})

t.test('a file of keys that is not valid ends the start with one line, which shows no hash', async (t) => {
  const key = newKey({ scopes: ['reed:*/*'] })
  const path = join(t.testdir({ 'keys.json': keyFile(key) }), 'keys.json')
  for (const [name, value] of [['API_KEYS_PATH', path], ['API_KEYS_FILE', path], ['API_KEYS', keyFile(key)]] as const) {
    const gateway = start(t, { AUTH: 'api-keys', [name]: value })
    t.same(await gateway.ended, { code: 1, signal: null })
    t.match(gateway.output, /^Bad configuration: API_KEYS[_A-Z]* \/keys\/0\/scopes\/0 is not a scope such as [^\n]*\n$/)
    t.notOk(gateway.output.includes(key.entry.hash.slice(7, 30)))
  }
})

t.test('SIGHUP has the keys read at once, and the process goes on', async (t) => {
  const [old, fresh] = [newKey(), newKey()]
  const path = join(t.testdir({ 'keys.json': keyFile(old) }), 'keys.json')
  const gateway = start(t, { AUTH: 'api-keys', API_KEYS_PATH: path, AUTH_RELOAD_SECONDS: '3600' })
  await gateway.untilListening()
  t.same([await statusFor(gateway, old), await statusFor(gateway, fresh)], [200, 401])
  await writeFile(path, keyFile(fresh))
  gateway.child.kill('SIGHUP')
  await gateway.said(/"keys":1,"msg":"a file was read again/)
  t.same([await statusFor(gateway, old), await statusFor(gateway, fresh)], [401, 200])
  await writeFile(path, '{')
  gateway.child.kill('SIGHUP')
  await gateway.said(/"reason":"is not valid JSON at line 1, column 2"/)
  t.same([await statusFor(gateway, old), await statusFor(gateway, fresh)], [401, 200])
  t.same(await gateway.end('SIGTERM'), { code: 0, signal: null })
})

t.test('SIGHUP ends a process that has no file to read again', async (t) => {
  const gateway = start(t, { AUTH: 'api-keys', API_KEYS: keyFile(newKey()) })
  await gateway.untilListening()
  t.same(await gateway.end('SIGHUP'), { code: 0, signal: null })
  t.match(gateway.output, /shutting down/)
})

t.test('a key that the command has made opens a gateway that has its entry', async (t) => {
  const made = await run(
    ['npm', 'run', '--silent', 'keys', '--', 'create', '--name', 'billing', '--scope', 'read:*/orders*']
  )
  t.equal(made.code, 0)
  const [key = '', ...rest] = made.stdout.split('\n')
  t.type(idOfKey(key), 'string')
  const gateway = start(t, { AUTH: 'api-keys', API_KEYS: `{ "keys": [${rest.join('\n')}] }` })
  await gateway.untilListening()
  const answer = await fetch(`${gateway.url}/v1/whoami`, { headers: { authorization: `Bearer ${key}` } })
  t.match(await answer.json(), { caller: 'billing', scheme: 'api-key' })
  const hashed = await run([...gatewayCommand({ entry: 'src/server.ts' }), 'keys', 'hash'], `${key}\n`)
  t.same(hashed, { code: 0, stdout: `sha256:${hashOfKey(key)}\n`, stderr: '' })
})

t.test('arguments that the process does not know are one line and exit code 2', async (t) => {
  for (const args of [['--port', '1'], ['key'], ['keys', 'list'], ['keys', 'create', '--name']]) {
    const { code, stdout, stderr } = await run([...gatewayCommand({ entry: 'src/server.ts' }), ...args])
    t.equal(code, 2, args.join(' '))
    t.equal(stdout, '')
    t.match(stderr, /^[^\n]+\n$/)
  }
})
