import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { gatewayCommand } from '../../../scripts/setup/gateway-command.mjs'
import { projectDirectory } from '../../../scripts/setup/paths.mjs'
import { hashOfKey, idOfKey } from '../../../src/access/keys/key.ts'
import { KEY_FILE } from '../../../src/access/keys/key-file.ts'
import { KeyRing } from '../../../src/access/keys/key-ring.ts'
import { addKey } from '../../../src/commands/add-key.ts'
import { runKeys } from '../../../src/commands/keys.ts'
import { keyFile, newKey } from '../../support/keyed-gateway.ts'
import { inTerminal, type CommandRun } from '../../support/terminal.ts'

const run = async (args: readonly string[], stdin = ''): Promise<CommandRun> =>
  await inTerminal(async (terminal) => await runKeys(args, terminal), stdin)

const create = async (...args: string[]): Promise<CommandRun> => await run(['create', ...args])
const MINIMAL = ['--name', 'billing', '--scope', 'read:*/orders*']

t.test('the first line is a key, and the rest is its entry, which the gateway takes', async (t) => {
  const { code, stdout, stderr } = await create(
    ...MINIMAL, '--scope', 'write:*/out', '--consumer', 'b*', '--publisher', 'p', '--publisher', 'q',
    '--expires', '2199-01-01T00:00:00Z'
  )
  t.equal(code, 0)
  const [key = '', ...rest] = stdout.split('\n')
  const entry: unknown = JSON.parse(rest.join('\n'))
  t.same(entry, {
    id: idOfKey(key),
    name: 'billing',
    hash: `sha256:${hashOfKey(key)}`,
    scopes: ['read:*/orders*', 'write:*/out'],
    consumers: ['b*'],
    publishers: ['p', 'q'],
    expires: '2199-01-01T00:00:00Z'
  })
  const ring = new KeyRing('/')
  t.teardown(() => { ring.close() })
  ring.replaceBy(KEY_FILE.parse(JSON.stringify({ keys: [entry] })))
  t.match(ring.find(key), { id: 'billing' })
  t.equal(stderr.includes(key), false, 'the key is shown once')
  t.match(stderr, /API_KEYS_PATH/)
})

t.test('what is not given is not in the entry', async (t) => {
  const { stdout } = await create(...MINIMAL)
  t.same(Object.keys(JSON.parse(stdout.slice(stdout.indexOf('\n')))), ['id', 'name', 'hash', 'scopes'])
})

t.test('days are counted from now', async (t) => {
  const { stdout } = await create(...MINIMAL, '--expires', '90d')
  const { expires } = JSON.parse(stdout.slice(stdout.indexOf('\n')))
  const days = (Date.parse(expires) - Date.now()) / (24 * 60 * 60 * 1000)
  t.ok(days > 89.99 && days <= 90, expires)
})

t.test('wrong arguments are one line on standard error, no key, and exit code 2', async (t) => {
  const cases: Array<[string[], RegExp]> = [
    [[], /it needs a command/],
    [['revoke'], /there is no command revoke/],
    [['create', '--scope', 'read:*/x'], /--name is missing/],
    [['create', '--name', 'x'], /--scope is missing/],
    [['create', ...MINIMAL, '--scopes', 'x'], /Unknown option '--scopes'/],
    [['create', ...MINIMAL, 'x'], /Unexpected argument 'x'/],
    [['create', '--name'], /--name/],
    [['create', ...MINIMAL, '--scope', 'reed:*/x'], /"reed:\*\/x" is not a scope/],
    [['create', '--name', 'a\nb', '--scope', 'read:*/x'], /name must be 1 to 128 characters/],
    [['create', ...MINIMAL, '--consumer', '%'], /consumers\/0 has a %/],
    [['create', ...MINIMAL, '--expires', 'tomorrow'], /--expires must be a time like/],
    [['create', ...MINIMAL, '--expires', '-1d'], /--expires/],
    [['create', ...MINIMAL, '--expires', '0d'], /--expires is in the past/],
    [['create', ...MINIMAL, '--expires', '2020-01-01T00:00:00Z'], /--expires is in the past/],
    [['hash', 'sgw_x'], /Unexpected argument/],
    [['hash', '--key', 'sgw_x'], /Unknown option '--key'/]
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await run(args)
    t.equal(code, 2, args.join(' '))
    t.equal(stdout, '', args.join(' '))
    t.match(stderr, message)
    t.match(stderr, /^keys: [^\n]+\n$/, 'one line')
  }
})

t.test('hash prints the hash of the key on standard input', async (t) => {
  const [key = ''] = (await create(...MINIMAL)).stdout.split('\n')
  t.same(await run(['hash'], `${key}\n`), { code: 0, stdout: `sha256:${hashOfKey(key)}\n`, stderr: '' })
})

t.test('hash takes nothing but a key, and does not repeat it', async (t) => {
  const [key = ''] = (await create(...MINIMAL)).stdout.split('\n')
  for (const text of ['', 'password', key.slice(0, -1), `${key} ${key}`, key.replace('sgw_', 'sgw-')]) {
    const { code, stdout, stderr } = await run(['hash'], text)
    t.equal(code, 1, text)
    t.equal(stdout, '')
    t.notMatch(stderr, /password|sgw/)
  }
})

t.test('help shows how the command is used', async (t) => {
  const { code, stdout } = await run(['help'])
  t.equal(code, 0)
  t.match(stdout, /keys create --name NAME/)
})

t.test('keys are added to a file, which a gateway can take at any moment', async (t) => {
  const directory = t.testdir({})
  const file = join(directory, 'keys', 'keys.json')
  const keys: string[] = []
  for (const name of ['first', 'second']) {
    const { code, stdout, stderr } = await create('--name', name, '--scope', 'read:*/*', '--file', file)
    t.equal(code, 0)
    t.match(stdout, /^sgw_\S+\n$/)
    t.notMatch(stderr, 'sgw_')
    keys.push(stdout.trim())
  }
  const entries = KEY_FILE.parse(readFileSync(file, 'utf8'))
  t.same(entries.map(({ name, hash }) => [name, hash]), [
    ['first', `sha256:${hashOfKey(keys[0] ?? '')}`], ['second', `sha256:${hashOfKey(keys[1] ?? '')}`]
  ])
  t.equal(statSync(file).mode & 0o777, 0o644)
  t.same(readdirSync(join(directory, 'keys')), ['keys.json'])
})

t.test('a file that is not one of keys stays as it is', async (t) => {
  const text = '{"keys": [{"id": "a"}]}'
  const file = join(t.testdir({ 'keys.json': text }), 'keys.json')
  for (const path of [file, join(file, 'below'), t.testdirName]) {
    const { code, stdout, stderr } = await create(...MINIMAL, '--file', path)
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, /^keys: [^\n]+\n$/)
  }
  t.equal(readFileSync(file, 'utf8'), text)
})

t.test('a command that finds another one at work on the file waits, and adds to what that one has made', async (t) => {
  const path = join(t.testdir({ 'keys.json': keyFile() }), 'keys.json')
  const first = newKey({ name: 'first' })
  writeFileSync(`${path}.lock`, keyFile(first), { flag: 'wx' })
  const [program = '', ...before] = gatewayCommand({ entry: 'src/server.ts' })
  const args = ['keys', 'create', '--name', 'second', '--scope', 'read:*/*', '--file', path]
  const child = spawn(program, [...before, ...args], { cwd: projectDirectory, stdio: 'ignore' })
  const ended = once(child, 'close')
  await delay(1000) // most of it is its start: a command that does not wait is done by then, on most machines
  renameSync(`${path}.lock`, path)
  t.same(await ended, [0, null])
  t.same(KEY_FILE.parse(readFileSync(path, 'utf8')).map(({ name }) => name), ['first', 'second'])
  t.same(readdirSync(dirname(path)), ['keys.json'])
})

t.test('a file that another command has locked is left as it is', async (t) => {
  const directory = t.testdir({ 'keys.json': '{"keys":[]}', 'keys.json.lock': '' })
  const path = join(directory, 'keys.json')
  const message = /being changed by another command.*keys\.json\.lock/
  t.throws(() => { addKey(path, newKey().entry, 30) }, { message })
  t.equal(readFileSync(path, 'utf8'), '{"keys":[]}')
  t.same(readdirSync(directory), ['keys.json', 'keys.json.lock'])
})
