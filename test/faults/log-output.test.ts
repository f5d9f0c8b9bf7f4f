import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import t from 'tap'
import { Agent } from 'undici'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { tiedToParent } from '../../scripts/setup/parents.mjs'
import { testStreamUrl } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const env = { RABBITMQ_STREAM_URL: testStreamUrl() }

// The longest request id makes the longest lines. Twice this many requests write more than the log keeps in memory.
const LONG_ID = 'x'.repeat(128)
const REQUESTS = 30_000
const AT_ONCE = 100

async function manyRequests (url: string): Promise<void> {
  const dispatcher = new Agent({ connections: AT_ONCE })
  let left = REQUESTS
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (left-- > 0) {
      const { statusCode, body } = await dispatcher.request({
        origin: url,
        path: '/health/live',
        method: 'GET',
        headers: { 'x-request-id': LONG_ID }
      })
      await body.dump()
      if (statusCode !== 200) throw new Error(`answered ${statusCode}`)
    }
  }))
  await dispatcher.close()
}

t.test('a log that is not read drops lines beyond 8 MiB and counts them; no answer is lost', async (t) => {
  const gateway = await GatewayProcess.start({ env })
  t.teardown(async () => await gateway.end('SIGKILL'))
  const { stdout } = gateway.child
  if (stdout === null) throw new Error('the gateway has no standard output')
  stdout.pause()
  await manyRequests(gateway.url)
  await manyRequests(gateway.url)
  stdout.resume()
  await until('the dropped lines are counted', () => gateway.output.includes('"droppedLines"'))
  // Whatever the log still keeps goes out before the process ends.
  t.same(await gateway.end(), { code: 0, signal: null })
  const requests = gateway.log.filter(({ msg, reqId }) => msg === 'request' && reqId === LONG_ID).length
  const dropped = gateway.log.reduce((sum, { droppedLines }) => sum + Number(droppedLines ?? 0), 0)
  t.ok(dropped > 0)
  // At most what waited for the reader, and what the system and this process held when they stopped taking more.
  t.ok(gateway.output.length < 10 * 1024 * 1024, `${gateway.output.length} bytes came through`)
  t.equal(requests + dropped, 2 * REQUESTS)
})

t.test('a process whose log is never read ends when it is told to', async (t) => {
  const gateway = await GatewayProcess.start({ env })
  t.teardown(async () => await gateway.end('SIGKILL'))
  gateway.child.stdout?.pause()
  await manyRequests(gateway.url)
  gateway.child.kill('SIGTERM')
  const [code] = await once(gateway.child, 'exit')
  t.equal(code, 0)
  gateway.child.stdout?.resume()
})

// A disk that is full from one signal to the next.
const DISK = `data:text/javascript,${encodeURIComponent(`
  import fs from 'node:fs'
  const { write } = fs
  let isFull = false
  process.on('SIGWINCH', () => { isFull = !isFull })
  fs.write = (fd, ...rest) => {
    if (!isFull || fd !== 1) write(fd, ...rest)
    else setImmediate(rest.at(-1), Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
  }
`)}`

t.test('a log whose disk was full for a long time continues when there is room again', async (t) => {
  const gateway = await GatewayProcess.start({ env, nodeOptions: ['--import', DISK] })
  t.teardown(async () => await gateway.end('SIGKILL'))
  gateway.child.kill('SIGWINCH')
  await manyRequests(gateway.url)
  await manyRequests(gateway.url)
  t.notMatch(gateway.output, LONG_ID)
  gateway.child.kill('SIGWINCH')
  await until('the dropped lines are counted', async () => {
    // A line as long as the others, for which there is no room.
    await fetch(`${gateway.url}/health/live?none`, { headers: { 'x-request-id': LONG_ID } })
    return gateway.output.includes('"droppedLines"')
  })
  t.match(gateway.output, LONG_ID, 'what was kept is written')
  t.same(await gateway.end(), { code: 0, signal: null })
})

t.test('a gateway whose log disk is full still serves, and ends when it is told to', async (t) => {
  const [port] = await freePorts(1)
  const full = openSync('/dev/full', 'w')
  const [program = '', ...args] = tiedToParent([process.execPath, '--import', 'tsx', 'src/server.ts'])
  const childEnv = { PATH: process.env['PATH'], HTTP_PORT: String(port), ...env }
  const child = spawn(program, args, { env: childEnv, stdio: ['ignore', full, 'inherit'] })
  closeSync(full)
  t.teardown(() => child.kill('SIGKILL'))
  const live = async (): Promise<boolean> => {
    return await fetch(`http://127.0.0.1:${port}/health/live`).then(({ ok }) => ok, () => false)
  }
  await until('it answers', live)
  for (let times = 0; times < 20; times++) t.equal(await live(), true)
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null])
})
