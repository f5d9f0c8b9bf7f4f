import { readFileSync } from 'node:fs'
import t from 'tap'
import { describeSettings } from '../../src/config.ts'
import { run, startGatewayProcess } from './support.ts'

const readme = readFileSync('README.md', 'utf8')

interface Block { language: string, text: string }
interface Step { command: string, answer: Block | undefined }

function section (title: string): string {
  const [, text] = readme.split(`\n## ${title}\n`)
  if (text === undefined) throw new Error(`README.md has no section "${title}"`)
  return text.split(/^## /m, 1)[0] ?? ''
}

function blocksOf (markdown: string): Block[] {
  return [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', text = '']) => ({ language, text }))
}

/** The commands of a text, each with the answer that is printed below it. */
function stepsOf (markdown: string): Step[] {
  const steps: Step[] = []
  for (const block of blocksOf(markdown)) {
    const last = steps.at(-1)
    if (block.language === 'sh') steps.push({ command: block.text, answer: undefined })
    else if (last !== undefined) last.answer = block
  }
  return steps
}

/** What differs from run to run is the same in all of them. */
function withoutTimes (text: string): string {
  return text
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(/[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}/g, 'ID')
    .trim()
}

function comparable ({ language, text }: Block): unknown {
  return language === 'json' ? JSON.parse(withoutTimes(text)) : withoutTimes(text)
}

// A control character that no answer has.
const END_OF_STEP = '\u001e'

t.test('the tour answers what it says', async (t) => {
  const steps = stepsOf(section('A tour of five minutes'))
  t.ok(steps.length > 15, `${steps.length} commands`)
  const script = steps.map(({ command }) => `${command}\nprintf '\\036'\n`).join('')
  const { code, stdout, stderr } = await run('bash', ['-u', '-c', script], {
    GATEWAY_URL: await startGatewayProcess(t)
  })
  t.equal(code, 0, stderr)
  const outputs = stdout.split(END_OF_STEP)
  t.equal(outputs.pop(), '')
  t.equal(outputs.length, steps.length)
  for (const [index, { command, answer }] of steps.entries()) {
    const { language, text } = answer ?? { language: 'text', text: '' }
    t.same(comparable({ language, text: outputs[index] ?? '' }), comparable({ language, text }), command.trim())
  }
})

t.test('the commands at the top answer what they say', async (t) => {
  const gateway = await startGatewayProcess(t)
  const created = await fetch(`${gateway}/v1/streams/hello`, { method: 'PUT' })
  t.equal(created.status, 201)
  const [top = ''] = readme.split('\n## ', 1)
  const [session] = blocksOf(top)
  const lines = session?.text.trim().split('\n') ?? []
  t.equal(lines.length, 4)
  for (let at = 0; at < lines.length; at += 2) {
    const command = lines[at]?.replace(/^\$ curl /, 'curl -s ').replace('http://127.0.0.1:8080', gateway) ?? ''
    t.match(command, gateway)
    const { stdout } = await run('bash', ['-c', command], {})
    t.equal(withoutTimes(stdout), withoutTimes(lines[at + 1] ?? ''), command)
  }
})

t.test('the short programs publish, consume and commit', async (t) => {
  const gateway = await startGatewayProcess(t)
  const programs = blocksOf(section('The core, in four languages'))
  t.same(
    programs.map(({ language }) => language),
    ['python', 'js', 'go', 'java']
  )
  for (const [language, command, ...options] of [
    ['js', process.execPath, '--input-type=module', '-e'],
    ['python', 'python3', '-c']
  ]) {
    if (command === undefined) continue
    const program = programs.find((block) => block.language === language)?.text ?? ''
    const { code, stdout, stderr } = await run(command, [...options, program], { GATEWAY_URL: gateway })
    t.equal(code, 0, stderr)
    t.match(stdout, /^0 \{ ?'?order'?: 1 ?\}\n1 \{ ?'?order'?: 2 ?\}\n$/)
    const again = await run(command, [...options, program], { GATEWAY_URL: gateway })
    t.notMatch(again.stdout, /^[01] /m)
  }
})

t.test('every setting that the README names is one', async (t) => {
  const settings = describeSettings().map(({ name }) => name)
  const named = new Set(section('Configuration').match(/\b[A-Z]+(?:_[A-Z]+)+\b/g))
  t.ok(named.size >= 8)
  t.same([...named].filter((name) => !settings.includes(name)), [])
})

t.test('what runs without npm start is there', async (t) => {
  t.match(section('Run it'), 'docker compose up')
  t.match(readFileSync('compose.yaml', 'utf8'), 'build: .')
})

t.test('the two commands are there', async (t) => {
  const { scripts } = JSON.parse(readFileSync('package.json', 'utf8'))
  t.match(section('Start'), /npm start/)
  t.match(section('Start'), /npm test/)
  t.type(scripts.start, 'string')
  t.type(scripts.test, 'string')
})
