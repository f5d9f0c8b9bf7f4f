import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { describeSettings } from '../../src/config.ts'
import { answerAsPrinted, blocksOf, sectionOf, stepsOf } from './steps.ts'
import { exactly } from '../support/exactly.ts'
import { pushSettings } from '../support/push-gateway.ts'
import { getJson, run, startGatewayProcess } from './support.ts'

const readme = readFileSync('README.md', 'utf8')

const section = (title: string): string => sectionOf(readme, title)

/** Runs the commands of a text against a gateway of its own. */
async function runAsPrinted (t: Test, markdown: string, minSteps: number): Promise<void> {
  const steps = stepsOf(markdown)
  t.ok(steps.length >= minSteps, `${steps.length} commands`)
  await answerAsPrinted(t, steps, { GATEWAY_URL: await startGatewayProcess(t) })
}

t.test('the five requests of the README answer what it says', async (t) => {
  await runAsPrinted(t, section('Five requests'), 6)
})

t.test('work is shared as the README says', async (t) => {
  await runAsPrinted(t, section('Share the work'), 2)
})

t.test('messages are pushed with retries, and with an error stream, as the README says', async (t) => {
  const gateway = await startGatewayProcess(t, pushSettings(t))
  const [create = { command: '', answer: undefined }] = stepsOf(section('Five requests'))
  const steps = [create, ...stepsOf(section('Push to an endpoint'))]
  t.equal(steps.length, 3)
  await answerAsPrinted(t, steps, { GATEWAY_URL: gateway })
  t.match(await getJson(`${gateway}/v1/streams/orders/subscriptions`), {
    subscriptions: exactly(
      { subscription: 'errors', errorStream: 'orders-failed', retry: { maxAttempts: 3 } },
      { subscription: 'retry', errorStream: 'orders_errors', retry: { maxDelayMs: 60_000, maxOutageSeconds: 86_400 } }
    )
  })
})

t.test('the tour answers what it says', async (t) => {
  await runAsPrinted(t, readFileSync('docs/tour.md', 'utf8'), 15)
})

t.test('the worker publishes, consumes and commits, and goes on where another one of its name is', async (t) => {
  const gateway = await startGatewayProcess(t)
  const [{ text: program } = { text: '' }] = blocksOf(section('A worker, in Python'))
  const work = async (): Promise<string> => {
    const { code, stdout, stderr } = await run('python3', ['-c', program], { GATEWAY_URL: gateway })
    t.equal(code, 0, stderr)
    return stdout
  }
  t.match(await work(), /^0 \{'order': 1\}\n1 \{'order': 2\}\n$/)
  t.notMatch(await work(), /^[01] /m)
  const [first, second] = await Promise.all([work(), work()])
  t.match(first, /'order': 2/)
  t.match(second, /'order': 2/)
})

t.test('every setting that the README names is one', async (t) => {
  const settings = describeSettings().map(({ name }) => name)
  const named = new Set(section('Run it').match(/\b[A-Z]+(?:_[A-Z]+)+\b/g))
  t.ok(named.size >= 3)
  t.same([...named].filter((name) => !settings.includes(name)), [])
})

t.test('what runs without npm start is there', async (t) => {
  const { name, version, bin } = JSON.parse(readFileSync('package.json', 'utf8'))
  for (const path of ['deploy/compose.yaml', 'deploy/kubernetes', 'deploy/systemd', bin[name]]) t.ok(existsSync(path))
  const run = section('Run it')
  t.match(run, 'docker compose -f deploy/compose.yaml up')
  t.match(run, 'kubectl apply -k deploy/kubernetes\n')
  t.match(run, `--package=./${name}-${version}.tgz ${name}\n`)
})

t.test('the two commands are there', async (t) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.match(section('Start'), /npm start/)
  t.match(section('Start'), /npm test/)
  t.type(scripts.start, 'string')
  t.type(scripts.test, 'string')
})

t.test('the figures of the README are those of the table', async (t) => {
  const performance = readFileSync('docs/performance.md', 'utf8')
  const measured = (name: string): string | undefined =>
    new RegExp(`^\\| ${name} \\| ([\\d,]+)/s`, 'm').exec(performance)?.[1]
  const [, fast = ''] = /\*\*Fast(.*?)\n\n/s.exec(readme) ?? []
  t.same(fast.match(/\d+,\d{3}(?:,\d{3})*/g)?.filter((figure) => figure !== '1,000'), [
    measured('publish-lines'), measured('read-lines'), measured('publish-one')
  ])
  const [version] = /RabbitMQ \d+\.\d+\.\d+/.exec(fast) ?? []
  t.match(performance, `${version};`)
})
