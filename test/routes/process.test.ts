import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { testStreamUrl } from '../support/broker.ts'

interface Run { child: ChildProcess, output: () => string, said: (pattern: RegExp) => Promise<RegExpExecArray>, ended: Promise<{ code: unknown, signal: unknown }> }

function run (t: Test, env: Record<string, string>): Run {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/server.ts'], { env: { PATH: process.env.PATH, HTTP_PORT: '0', ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let text = ''
  const changes = new EventTarget()
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      changes.dispatchEvent(new Event('change'))
    })
  }
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => {
    changes.dispatchEvent(new Event('change'))
    return { code, signal }
  })
  return {
    child,
    output: () => text,
    ended,
    async said (pattern) {
      for (;;) {
        const match = pattern.exec(text)
        if (match !== null) return match
        if (child.exitCode !== null) throw new Error(`it ended after ${text}`)
        await new Promise((resolve) => { changes.addEventListener('change', resolve, { once: true }) })
      }
    }
  }
}

t.test('a process serves until it is told to end, and then ends well', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const { child, said, ended, output } = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_PROT: '1' })
    const [, address] = await said(/listening at (http:\/\/127\.0\.0\.1:\d+)/)
    t.equal((await fetch(`${address}/health/ready`)).status, 200)
    t.match(output(), /HTTP_PROT is no setting/)
    child.kill(signal)
    t.same(await ended, { code: 0, signal: null }, signal)
    t.notMatch(output(), /WITHOUT AUTHENTICATION/)
  }
})

t.test('a process that listens beyond its machine warns that it has no authentication', async (t) => {
  const { child, said, ended } = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_HOST: '0.0.0.0' })
  t.ok(await said(/"level":40[^\n]*WITHOUT AUTHENTICATION/))
  child.kill('SIGTERM')
  t.match(await ended, { code: 0 })
})

t.test('a bad configuration is one line that names variables, and no process', async (t) => {
  const { ended, output } = run(t, { RABBITMQ_STREAM_URL: 'rabbitmq-stream://u:s3cret@', HTTP_PORT: 's3cret' })
  t.same(await ended, { code: 1, signal: null })
  t.match(output(), /^Bad configuration: [^\n]*RABBITMQ_STREAM_URL[^\n]*HTTP_PORT[^\n]*\n$/)
  t.notMatch(output(), 's3cret')
})

t.test('a port that is taken ends the process with its reason', async (t) => {
  const first = run(t, { RABBITMQ_STREAM_URL: testStreamUrl() })
  const [, port = ''] = await first.said(/listening at http:\/\/127\.0\.0\.1:(\d+)/)
  const second = run(t, { RABBITMQ_STREAM_URL: testStreamUrl(), HTTP_PORT: port })
  t.match(await second.ended, { code: 1 })
  t.match(second.output(), 'EADDRINUSE')
  first.child.kill('SIGTERM')
  t.match(await first.ended, { code: 0 })
})
