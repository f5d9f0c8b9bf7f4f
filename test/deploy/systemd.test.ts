import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { findOnPath } from '../../scripts/setup/programs.mjs'
import { describeSettings, loadConfig } from '../../src/config.ts'
import { run } from '../docs/support.ts'
import { readEnvFile } from './env-file.ts'

const UNIT = 'deploy/systemd/rabbitmq-stream-gateway.service'
const unit = readFileSync(UNIT, 'utf8')
const page = readFileSync('docs/deploy.md', 'utf8')
const { name } = JSON.parse(readFileSync('package.json', 'utf8'))
const values = readEnvFile('deploy/systemd/gateway.env')
const settingOf = (name: string): number =>
  Number(values[name] ?? describeSettings().find((one) => one.name === name)?.default)

/** Every line `Section.Name=value`, in their order. */
const directives = unit.split(/^\[/m).slice(1).flatMap((section) => {
  const [title = '', ...lines] = section.split('\n')
  return lines.filter((line) => line !== '' && !line.startsWith('#')).map((line) => {
    const [, key = '', value = ''] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? []
    return { name: `${title.slice(0, -1)}.${key}`, value }
  })
})
const valueOf = (name: string): string => directives.find((one) => one.name === `Service.${name}`)?.value ?? ''

const YES = /^yes$/
const SECONDS = /^\d+$/
const EMPTY = /^$/
// What systemd.unit(5), systemd.service(5), systemd.exec(5), systemd.kill(5) and systemd.resource-control(5) allow.
const KNOWN: Readonly<Record<string, RegExp>> = {
  'Unit.Description': /./,
  'Unit.Wants': /^network-online\.target$/,
  'Unit.After': /^network-online\.target$/,
  'Service.Type': /^exec$/,
  'Service.ExecStart': /^\/\S+ serve$/,
  'Service.EnvironmentFile': /^\//,
  'Service.Environment': /^NODE_ENV=production$/,
  'Service.Restart': /^on-failure$/,
  'Service.RestartSec': SECONDS,
  'Service.TimeoutStopSec': SECONDS,
  'Service.LimitNOFILE': SECONDS,
  'Service.MemoryMax': /^\d+M$/,
  'Service.ProtectSystem': /^strict$/,
  'Service.ProtectProc': /^invisible$/,
  'Service.ProcSubset': /^pid$/,
  'Service.CapabilityBoundingSet': EMPTY,
  'Service.AmbientCapabilities': EMPTY,
  'Service.RestrictAddressFamilies': /^(AF_[A-Z0-9]+ ?)+$/,
  'Service.UMask': /^0077$/,
  'Service.SystemCallArchitectures': /^native$/,
  'Service.SystemCallFilter': /^(@system-service|~@privileged @resources)$/,
  'Service.SystemCallErrorNumber': /^EPERM$/,
  'Install.WantedBy': /^multi-user\.target$/,
  ...Object.fromEntries([
    'DynamicUser', 'ProtectHome', 'PrivateTmp', 'PrivateDevices', 'PrivateUsers', 'NoNewPrivileges',
    'ProtectKernelTunables', 'ProtectKernelModules', 'ProtectKernelLogs', 'ProtectControlGroups', 'ProtectClock',
    'ProtectHostname', 'RestrictNamespaces', 'RestrictRealtime', 'RestrictSUIDSGID', 'LockPersonality', 'RemoveIPC'
  ].map((one) => [`Service.${one}`, YES]))
}

t.test('every line of the unit is a directive that systemd knows, with a value that it takes', async (t) => {
  for (const { name, value } of directives) t.match(value, KNOWN[name] ?? /is not known/, name)
  t.same(Object.keys(KNOWN).filter((name) => !directives.some((one) => one.name === name)), [], 'nothing is left out')
})

t.test('systemd takes the unit, and finds little that it could take away from it', async (t) => {
  if (findOnPath('systemd-analyze') === undefined) {
    t.comment('systemd is not on this machine: the test above has to do')
    return
  }
  // The program need not be where the unit expects it.
  const copy = join(t.testdir({}), `${name}.service`)
  writeFileSync(copy, unit.replace(valueOf('ExecStart'), `${process.execPath} serve`))
  const { code, stdout, stderr } = await run('systemd-analyze', ['verify', copy], {})
  t.same([code, stdout, stderr.split('\n').filter((line) => line.includes(name))], [0, '', []])
  // From 0 to 100. What is left is mostly the network.
  const judged = await run('systemd-analyze', ['security', '--offline=yes', '--threshold=20', '--no-pager', copy], {})
  t.equal(judged.code, 0, judged.stdout)
})

t.test('every variable of the file is a setting, with values that the gateway takes', async (t) => {
  t.ok(Object.keys(values).length >= 5)
  const { config, warnings } = loadConfig(values, () => '{"keys": []}')
  t.same(warnings, [])
  t.same(config.access.ways, ['api-keys'])
  t.match(values['RABBITMQ_STREAM_URL'], 'gateway:PASSWORD@', 'it has no password')
})

t.test('the service is not killed before the gateway has ended, and its limits fit the settings', async (t) => {
  // main.ts ends the process ten seconds after the drain timeout.
  t.ok(Number(valueOf('TimeoutStopSec')) * 1000 > settingOf('DRAIN_TIMEOUT_MS') + 10_000)
  t.ok(Number(valueOf('LimitNOFILE')) > settingOf('HTTP_MAX_CONNECTIONS') + settingOf('MAX_BROKER_CONNECTIONS'))
  const deployment = readFileSync('deploy/kubernetes/deployment.yaml', 'utf8')
  const [, limit] = /limits: \{ memory: (\d+)Mi \}/.exec(deployment) ?? []
  t.equal(valueOf('MemoryMax'), `${limit}M`, 'as in Kubernetes')
})

t.test('the page installs what the unit starts, where it starts it', async (t) => {
  const [program = ''] = valueOf('ExecStart').split(' ')
  const prefix = program.replace(`/bin/${name}`, '')
  t.match(page, `npm install --global --prefix ${prefix} ./${name}-`)
  t.match(page, valueOf('EnvironmentFile'))
  t.match(page, `/etc/systemd/system/${name}.service`)
  t.match(page, values['API_KEYS_PATH'])
})
