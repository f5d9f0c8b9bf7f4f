import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import t from 'tap'
import { gatewayCommand } from '../../scripts/setup/gateway-command.mjs'
import { projectDirectory } from '../../scripts/setup/paths.mjs'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { run } from '../docs/support.ts'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { buildImage, describeImage } from './dockerfile.ts'

// It compiles and installs, which other processes may slow down.
t.setTimeout(600_000)

const image = describeImage()
const [uid, gid] = image.user.split(':')
const { name, version, license, description } = JSON.parse(readFileSync('package.json', 'utf8'))

t.test('the image runs the command of npm start, and takes the other commands in its place', async (t) => {
  const [, ...args] = gatewayCommand()
  const command = ['node', ...args.map((arg) => arg.startsWith('/') ? relative(projectDirectory, arg) : arg)]
  t.same(image.entrypoint, command)
  t.same(image.cmd, ['serve'])
})

t.test('the image names an exact Node.js, what it is, and a user that Kubernetes can check', async (t) => {
  t.match(image.base, /^node:\d+\.\d+\.\d+-slim$/)
  const bases = [...readFileSync('Dockerfile', 'utf8').matchAll(/^FROM (node:\S+)/gm)].map(([, base]) => base)
  t.same([...new Set(bases)], [image.base])
  t.same([uid, gid], ['65532', '65532'])
  // The health check gives up by itself after four seconds, and says why.
  const [, seconds] = /^HEALTHCHECK .*--timeout=(\d+)s/m.exec(readFileSync('Dockerfile', 'utf8')) ?? []
  t.ok(Number(seconds) > 4)
  const labels = Object.fromEntries(Object.entries(image.labels)
    .map(([key, value]) => [key.replace('org.opencontainers.image.', ''), value]))
  t.match(labels, { title: name, version, licenses: license, revision: '$REVISION' })
  t.ok(description.startsWith(labels['description']))
})

t.test('what the Dockerfile makes serves and is healthy, as its user on files that it cannot change', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'image-'))
  t.teardown(async () => {
    await run('chmod', ['-R', 'u+w', folder], {})
    rmSync(folder, { recursive: true, force: true })
  })
  const root = join(buildImage(folder), image.workdir)
  t.same(readdirSync(root).sort(), ['LICENSE', 'dist', 'node_modules', 'package.json'])
  t.notOk(readdirSync(join(root, 'node_modules')).includes('typescript'), 'nothing for development')
  t.equal((await run('chmod', ['-R', 'a-w,a+rX', root], {})).code, 0)
  chmodSync(folder, 0o755)

  const [port = 0] = await freePorts(1)
  // Only root can become another user. Other users cannot write here anyway.
  const isRoot = process.getuid?.() === 0
  const privileges = ['--clear-groups', '--no-new-privs', '--bounding-set=-all', '--pdeathsig', 'TERM']
  const become = isRoot ? ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, ...privileges] : []
  // With its options tap writes a file when a process ends.
  const asUser = [...become, 'env', '-u', 'NODE_OPTIONS']
  const env = {
    ...image.env,
    HTTP_PORT: String(port),
    AUTH: 'none',
    HOME: '/nowhere',
    TMPDIR: '/nowhere',
    RABBITMQ_STREAM_URL: testStreamUrl(),
    RABBITMQ_MANAGEMENT_URL: testManagementUrl()
  }
  const inContainer = async (command: readonly string[]): Promise<unknown> => {
    const [program = '', ...args] = [...asUser, ...command]
    const { code, stdout, stderr } = await run(program, args, env, root)
    return { code, said: stdout + stderr }
  }
  t.match(await inContainer(image.healthcheck), { code: 1, said: 'not ready' }, 'it does not run yet')
  t.match(await inContainer([...image.entrypoint, 'check-config']), { code: 0 })
  t.match(await inContainer(['touch', join(root, 'dist', 'server.js')]), { code: isRoot ? 1 : 0 })
  t.match(await inContainer(['touch', join(root, 'new')]), { code: 1 })

  const command = [...asUser, ...image.entrypoint, ...image.cmd]
  const gateway = await GatewayProcess.start({ command, cwd: root, env })
  t.teardown(async () => await gateway.end('SIGKILL'))
  t.match(readFileSync(`/proc/${gateway.pid}/status`, 'utf8'), isRoot ? `Uid:\t${uid}\t` : 'Uid:')
  t.match(await inContainer(image.healthcheck), { code: 0, said: 'ready\n' })
  const stream = `http://127.0.0.1:${port}/v1/streams/image-${process.pid}`
  const headers = { 'content-type': 'application/json' }
  await fetch(stream, { method: 'PUT', headers, body: '{}' })
  const body = '{"messages": [{"body": "in a container"}]}'
  t.match(await (await fetch(`${stream}/messages`, { method: 'POST', headers, body })).json(), { confirmed: 1 })
  t.match(await (await fetch(`${stream}/messages?offset=first`)).text(), 'in a container')
  await fetch(stream, { method: 'DELETE' })
  t.same(await gateway.end(), { code: 0, signal: null }, gateway.output)
  t.match(await inContainer(image.healthcheck), { code: 1, said: 'not ready' }, 'it has ended')
})
