import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { describeSettings } from '../../src/config.ts'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { answerAsPrinted, sectionOf, stepsOf, type Step } from './steps.ts'
import { run } from './support.ts'

const SETTINGS = new Set(describeSettings().map(({ name }) => name))
const page = (name: string): string => readFileSync(`docs/${name}.md`, 'utf8')
const readme = readFileSync('README.md', 'utf8')

/*
 * In the shell of a page, npm start only notes with which settings it was called, and rabbitmqctl asks the broker of
 * the tests. A user is made for the test.
 */
const SHELL = `
npm () {
  case "$*" in
    start) env -0 > "$FOLDER/start" ;;
    *' rabbitmqctl -- add_user '*)
      command curl -sf -X PUT "$MANAGEMENT/api/users/$6" -d '{"password":"'"$7"'","tags":""}' ;;
    *' rabbitmqctl -- set_permissions --vhost / '*)
      command curl -sf -X PUT "$MANAGEMENT/api/permissions/%2f/$8" \\
        -d '{"configure":"'"$9"'","write":"'"\${10}"'","read":"'"\${11}"'"}' ;;
    *' rabbitmqctl '*) exit 9 ;;
    *) command npm "$@" ;;
  esac
}
curl () { command curl -s "$@"; }
`

interface Walk { readonly folder: string, readonly gateway: GatewayProcess, readonly key: string }

/** Runs the commands of a section up to and with npm start, as the settings say that it was called with. */
async function walk (t: Test, markdown: string): Promise<void> {
  const folder = t.testdir({})
  let started: Walk | undefined
  let later: Step[] = []
  const runLater = async (): Promise<void> => {
    if (started === undefined) return
    t.ok(later.length > 0, 'there is something to try')
    await tryOut(t, started, later)
    later = []
  }
  for (const step of stepsOf(markdown)) {
    if (!step.command.includes('npm start')) {
      later.push(step)
      continue
    }
    await runLater()
    started = await start(t, folder, step)
  }
  t.ok(started, 'it says how to start')
  await runLater()
}

async function start (t: Test, folder: string, { command }: Step): Promise<Walk> {
  const { code, stdout, stderr } = await run('bash', ['-eu', '-c', SHELL + inFolder(command, folder)], {
    FOLDER: folder, MANAGEMENT: testManagementUrl()
  })
  t.equal(code, 0, stderr)
  t.ok(existsSync(join(folder, 'start')), stderr)
  const variables = readFileSync(join(folder, 'start'), 'utf8').split('\0').map((text) => text.split(/=(.*)/s))
  const settings = variables.flatMap(([name = '', value = '']) => SETTINGS.has(name) ? [[name, value]] : [])
  const gateway = await GatewayProcess.start({
    env: {
      ...Object.fromEntries(settings),
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      HTTP_PORT: '0',
      // The scopes of the pages are for streams whose names begin so.
      STREAM_NAME_PATTERN: `orders-docs-${randomUUID()}-{name}`
    }
  })
  t.teardown(async () => { await gateway.end() })
  return { folder, gateway, key: stdout.trim() }
}

async function tryOut (t: Test, { folder, gateway, key }: Walk, steps: readonly Step[]): Promise<void> {
  const commands = steps.map(({ command, answer }) => ({
    command: inFolder(command, folder).replace(/^KEY=sgw_\.\.\..*$/m, `KEY=${key}`), answer
  }))
  const env = { GATEWAY_URL: gateway.url, FOLDER: folder, MANAGEMENT: testManagementUrl() }
  await answerAsPrinted(t, commands, env, SHELL)
}

function inFolder (command: string, folder: string): string {
  return command.replaceAll(/\bkeys\/(?=[\w-]+\.)/g, `${folder}/`)
}

t.test('"Secure it" makes a key that works, also for the five requests', async (t) => {
  const withKey = 'curl () { command curl -s -H "authorization: Bearer $KEY" "$@"; }\n'
  const [first, ...steps] = stepsOf(sectionOf(readme, 'Five requests'))
  if (first === undefined) throw new Error('there are no requests')
  const rest = [{ ...first, command: withKey + first.command }, ...steps]
  const text = [sectionOf(readme, 'Secure it'), ...rest.map(({ command, answer }) =>
    `\`\`\`sh\n${command}\`\`\`\n\n` + (answer ? `\`\`\`${answer.language}\n${answer.text}\`\`\`\n` : ''))].join('\n')
  await walk(t, text)
})

t.test('the page on API keys leads to a call with a key', async (t) => {
  await walk(t, sectionOf(page('api-keys'), 'Make a key and call with it'))
})

t.test('the page on tokens leads to a call with a token', async (t) => {
  await walk(t, sectionOf(page('tokens'), 'Try it without a provider'))
})

t.test('the page on TLS leads to a call over TLS, and to one with a client certificate', async (t) => {
  await walk(t, sectionOf(page('tls'), 'Turn it on') + sectionOf(page('tls'), 'Client certificates'))
})

t.test('the page on RabbitMQ users leads to a read as a user', async (t) => {
  const { username, password, origin } = new URL(testManagementUrl())
  t.teardown(async () => {
    await fetch(`${origin}/api/users/billing`, {
      method: 'DELETE', headers: { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` }
    })
  })
  await walk(t, sectionOf(page('rabbitmq-users'), 'Start with it'))
})
