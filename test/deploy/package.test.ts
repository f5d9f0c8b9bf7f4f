import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { gatewayCommand } from '../../scripts/setup/gateway-command.mjs'
import { run, type Ran } from '../docs/support.ts'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { makeCheckout } from '../support/checkout.ts'
import { GatewayProcess } from '../support/gateway-process.ts'

// It compiles and installs, which other processes may slow down.
t.setTimeout(600_000)

const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'))
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))

const parent = mkdtempSync(join(tmpdir(), 'package-'))
t.teardown(() => { rmSync(parent, { recursive: true, force: true }) })
const folder = join(parent, 'empty')
const program = join(folder, 'node_modules', '.bin', name)
const installed = join(folder, 'node_modules', name)

const npm = async (args: readonly string[], cwd: string): Promise<Ran> => {
  const ran = await run('npm', [...args, '--no-audit', '--no-fund', '--no-update-notifier'], {}, cwd)
  if (ran.code !== 0) throw new Error(`npm ${args.join(' ')}: ${ran.stderr}`)
  return ran
}

t.test('npm pack builds, and the package installs in an empty folder without a registry', async (t) => {
  await npm(['pack', '--silent', '--pack-destination', parent], makeCheckout(t))
  mkdirSync(folder)
  // The cache is empty, so that npm finds nothing but what is in the package.
  const cache = join(parent, 'cache')
  await npm(['install', '--offline', '--cache', cache, join(parent, `${name}-${version}.tgz`)], folder)
  t.ok(existsSync(program))
})

t.test('the package has what runs, and nothing for development', async (t) => {
  t.same(readdirSync(installed).sort(), [
    'CHANGELOG.md', 'LICENSE', 'README.md', 'bin', 'deploy', 'dist', 'node_modules', 'package.json'
  ])
  t.same(readdirSync(join(installed, 'deploy')), ['systemd'])
  const built = readdirSync(join(installed, 'dist'), { recursive: true, encoding: 'utf8' })
  t.ok(built.includes('server.js'))
  t.same(built.filter((file) => /\.(map|ts)$|test/.test(file)), [])
})

t.test('the packages in it are those that are tested, and no others', async (t) => {
  const shipped = Object.entries<{ version: string, dev?: boolean }>(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true)
  t.ok(shipped.length > 50)
  for (const [path, { version }] of shipped) {
    const manifest = JSON.parse(readFileSync(join(installed, path, 'package.json'), 'utf8'))
    if (manifest.version !== version) t.fail(`${path} is ${manifest.version} in place of ${version}`)
  }
  const folders = readdirSync(join(installed, 'node_modules')).filter((one) => !/^[@.]/.test(one))
  t.same(folders.filter((one) => !shipped.some(([path]) => path === `node_modules/${one}`)), [])
})

t.test('the program makes keys, checks settings, serves, publishes, reads, says it is well, and ends', async (t) => {
  const keys = join(parent, 'keys.json')
  const settings = { AUTH: 'api-keys', API_KEYS_PATH: keys }
  t.match(await run(program, ['check-config'], settings), { code: 1, stderr: /^error: API_KEYS_PATH/ })
  const scopes = ['configure', 'write', 'read'].flatMap((verb) => ['--scope', `${verb}:*/*`])
  const { stdout: key } = await run(program, ['keys', 'create', '--name', 'shop', ...scopes, '--file', keys], {})
  t.match(await run(program, ['check-config'], settings), { code: 0, stderr: '' })
  t.equal((await run(program, ['--version'], {})).stdout, `${version}\n`)

  const gateway = await GatewayProcess.start({
    command: [program, 'serve'],
    cwd: folder,
    env: { ...settings, RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  })
  t.teardown(async () => await gateway.end('SIGKILL'))
  t.match(await run(program, ['health'], { HTTP_PORT: String(gateway.port) }), { code: 0, stdout: 'ready\n' })

  const stream = `${gateway.url}/v1/streams/packed-${process.pid}`
  const headers = { 'content-type': 'application/json', authorization: `Bearer ${key.trim()}` }
  const call = async (method: string, path: string, body?: string): Promise<unknown> =>
    await (await fetch(stream + path, { method, headers, body })).json()
  await call('PUT', '', '{}')
  t.match(await call('POST', '/messages', '{"messages": [{"body": "packed"}]}'), { confirmed: 1 })
  t.match(await call('GET', '/messages?offset=first'), { messages: { 0: { body: 'packed' } } })
  await fetch(stream, { method: 'DELETE', headers })

  // The shell has become Node.js, with the options of every other start.
  const command = readFileSync(`/proc/${gateway.pid}/cmdline`, 'utf8').split('\0').slice(0, -1)
  const [, ...options] = gatewayCommand().slice(0, -1)
  t.same(command.slice(1, -2), options)
  t.same(await gateway.end(), { code: 0, signal: null }, gateway.output)
})
