import { readFileSync } from 'node:fs'
import { relative } from 'node:path'
import t from 'tap'
import { gatewayCommand } from '../../scripts/setup/gateway-command.mjs'
import { projectDirectory } from '../../scripts/setup/paths.mjs'

/** As it is written where the working directory is the project and `node` is on the PATH. */
const [program, ...args] = gatewayCommand()
const command = ['node', ...args.map((arg) => arg.startsWith(projectDirectory) ? relative(projectDirectory, arg) : arg)]

t.test('npm start, tests and benchmarks run this very Node.js', async (t) => {
  t.equal(program, process.execPath)
})

t.test('the image runs the command of npm start', async (t) => {
  const [, json = 'null'] = /^CMD (\[.*\])$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? []
  t.same(JSON.parse(json), command)
})

t.test('compose.yaml leaves the command to the image', async (t) => {
  const [, gateway = ''] = readFileSync('compose.yaml', 'utf8').split('\n  gateway:\n')
  t.match(gateway, 'build: .')
  t.notMatch(gateway, /^ +(command|entrypoint):/m)
})

t.test('the README runs the command of npm start without containers', async (t) => {
  const [, manual = ''] = readFileSync('README.md', 'utf8').split('\n## Run it\n')
  t.match(manual, ` ${command.join(' ')}\n`)
})
