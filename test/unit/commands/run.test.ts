import { readFileSync } from 'node:fs'
import t from 'tap'
import { loadConfig } from '../../../src/config.ts'
import { runCommand } from '../../../src/commands/run.ts'
import { VERSION } from '../../../src/version.ts'
import { inTerminal, type CommandRun } from '../../support/terminal.ts'

const run = async (args: readonly string[], env: Record<string, string> = {}): Promise<CommandRun> => {
  const [command = '', ...rest] = args
  return await inTerminal(async (terminal) => await runCommand(command, rest, { ...terminal, env }))
}

t.test('help names every command, and every command that it names is one', async (t) => {
  const { code, stdout, stderr } = await run(['--help'])
  t.same([code, stderr], [0, ''])
  const commands = [...stdout.matchAll(/^ {2}([a-z-]+)/gm)].map(([, name = '']) => name)
  t.same([...new Set(commands)], ['serve', 'keys', 'check-config', 'health', 'help', '--version'])
  for (const command of ['help', '-h']) t.equal((await run([command])).stdout, stdout)
  // `serve` is answered before, by server.ts.
  for (const command of commands.filter((name) => !['serve', 'health'].includes(name))) {
    t.notMatch((await run([command])).stderr, 'There is no command', command)
  }
})

t.test('the version is that of package.json', async (t) => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.equal(VERSION, version)
  for (const option of ['--version', '-v']) {
    t.same(await run([option]), { code: 0, stdout: `${version}\n`, stderr: '' })
  }
})

t.test('what is not a command is one line that says so, and exit code 2', async (t) => {
  const cases: Array<[args: string[], message: RegExp]> = [
    [['srve'], /There is no command "srve"/],
    [[''], /There is no command ""/],
    [['--port'], /There is no command "--port"/],
    [['serve', '--port=1'], /"serve" takes no arguments/],
    [['check-config', 'x'], /"check-config" takes no arguments/],
    [['--version', 'x'], /takes no arguments/],
    [['health', 'ready', 'x'], /"health" takes no further arguments/],
    [['health', 'started'], /"ready" or "live"/],
    [['keys'], /it needs a command/]
  ]
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await run(args)
    t.same([code, stdout], [2, ''], args.join(' '))
    t.match(stderr, message)
    t.match(stderr, /^[^\n]+\n$/, 'one line')
  }
})

t.test('check-config says that good settings are good, and warns of what is not a setting', async (t) => {
  t.same(await run(['check-config']), { code: 0, stdout: 'The settings are good.\n', stderr: '' })
  const { code, stdout, stderr } = await run(['check-config'], { HTTP_PROT: '8081', PORT: '1' })
  t.same([code, stdout], [0, 'The settings are good.\n'])
  t.match(stderr, /^warning: HTTP_PROT is not a setting; did you mean HTTP_PORT\?.*\nwarning: PORT is not .*\n$/)
})

t.test('check-config names every bad setting, shows no value, and says the same as the start', async (t) => {
  const env = {
    RABBITMQ_STREAM_URL: 'rabbitmq-stream://user:s3cret@',
    HTTP_PORT: 's3cret',
    AUTH: 'api-keys',
    API_KEYS_PATH: '/nowhere/s3cret.json',
    DRAIN_DELAY_MS: '50000',
    DRIAN_TIMEOUT_MS: 's3cret'
  }
  const { code, stdout, stderr } = await run(['check-config'], env)
  t.same([code, stdout], [1, ''])
  const errors = [...stderr.matchAll(/^error: (.*)$/gm)].map(([, text]) => text)
  t.same(errors.map((text) => text?.split(' ', 1)[0]).sort(), [
    'API_KEYS_PATH', 'DRAIN_TIMEOUT_MS', 'HTTP_PORT', 'RABBITMQ_STREAM_URL'
  ])
  t.match(stderr, 'warning: DRIAN_TIMEOUT_MS is not a setting; did you mean DRAIN_TIMEOUT_MS?')
  t.notMatch(stderr, 's3cret')
  t.throws(() => loadConfig(env, () => { throw new Error('no file') }), {
    message: `Bad configuration: ${errors.join('; ')}`
  })
})
