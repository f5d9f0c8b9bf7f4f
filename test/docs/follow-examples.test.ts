import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { freePorts } from '../../scripts/setup/ports.mjs'
import { testManagementUrl, testStreamUrl, uniqueName } from '../support/broker.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { until } from '../support/until.ts'

t.jobs = 2

const [goPort = 0, pythonPort = 0] = await freePorts(2)

const PROGRAMS = {
  python: { port: pythonPort, start: () => ['python3', 'examples/python/follow.py'] },
  go: {
    port: goPort,
    // `go run` would keep signals to itself.
    start: (t: Test) => {
      const program = join(t.testdir(), 'follow')
      execFileSync('go', ['build', '-o', program, 'examples/go/follow.go'])
      return [program]
    }
  }
} as const

/** A program that runs, and what it has said. */
class Running {
  readonly ended: Promise<unknown>
  output = ''
  readonly #child

  constructor (t: Test, [command = '', ...args]: readonly string[], env: Record<string, string>) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => { this.output += chunk.toString() })
    }
    this.ended = once(this.#child, 'close').then(([code]: unknown[]) => code)
    t.teardown(() => { this.#child.kill() })
  }

  async says (text: string): Promise<void> {
    await until(`${text} is said`, () => this.output.includes(text)).catch((error: unknown) => {
      throw new Error(this.output, { cause: error })
    })
  }

  get messages (): string[] {
    return this.output.split('\n').filter((line) => line.startsWith('offset '))
  }
}

/** @param port the one that it had before; 0: a free one */
async function startGatewayAt (port: number): Promise<GatewayProcess> {
  const gateway = await GatewayProcess.start({
    env: {
      HTTP_PORT: String(port),
      RABBITMQ_STREAM_URL: testStreamUrl(),
      RABBITMQ_MANAGEMENT_URL: testManagementUrl(),
      DRAIN_DELAY_MS: '0'
    }
  })
  await until('the gateway is ready', async () => (await fetch(`${gateway.url}/health/ready`)).ok)
  return gateway
}

/** A connection to the gateway that is cut after a text, once. */
async function startCutter (t: Test, port: number, cutAfter: string): Promise<string> {
  let isCut = false
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const gateway = connect(port, '127.0.0.1')
    for (const [socket, other] of [[client, gateway], [gateway, client]] as const) {
      sockets.add(socket)
      socket.on('error', () => { other.destroy() })
      socket.on('close', () => { other.destroy() })
    }
    client.pipe(gateway)
    gateway.on('data', (chunk) => {
      const at = isCut ? -1 : chunk.indexOf(cutAfter)
      if (at === -1) {
        client.write(chunk)
        return
      }
      isCut = true
      client.end(chunk.subarray(0, at + cutAfter.length))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  return `http://127.0.0.1:${address.port}`
}

const hasGo = process.env['PATH']?.split(':').some((folder) => isExecutable(join(folder, 'go'))) === true

function isExecutable (file: string): boolean {
  try {
    execFileSync(file, ['version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

for (const language of ['python', 'go'] as const) {
  const skip = language === 'go' && !hasGo ? 'the tools of Go are not installed' : false
  const { port, start } = PROGRAMS[language]

  t.test(`${language}: cut in a message, and across two ends of the gateway, every message comes once`, { skip },
    async (t) => {
      let gateway = await startGatewayAt(port)
      t.teardown(async () => { await gateway.end('SIGKILL') })
      const stream = uniqueName('follow')
      const url = `${gateway.url}/v1/streams/${stream}`
      const publish = async (...bodies: string[]): Promise<void> => {
        const body = JSON.stringify({ messages: bodies.map((body) => ({ body })) })
        const { ok } = await fetch(`${url}/messages`, {
          method: 'POST', headers: { 'content-type': 'application/json' }, body
        })
        t.ok(ok, `${bodies.join()} is published`)
      }
      const GATEWAY_URL = await startCutter(t, port, '"two')
      const program = new Running(t, start(t), { GATEWAY_URL, STREAM: stream })
      await program.says('caught up: the next message has the offset 0')
      await publish('zero', 'one')
      await program.says('offset 1: ')
      await publish('two', 'three')
      await program.says('with the id 2')
      await program.says('offset 3: ')

      await gateway.end()
      await program.says('bye: draining')
      gateway = await startGatewayAt(port)
      await publish('four')
      await program.says('offset 4: ')

      await gateway.end('SIGKILL')
      gateway = await startGatewayAt(port)
      await publish('five')
      await program.says('offset 5: ')
      t.same(
        program.messages.map((line) => line.replaceAll('"', '')),
        ['zero', 'one', 'two', 'three', 'four', 'five'].map((body, offset) => `offset ${offset}: ${body}`)
      )

      await fetch(url, { method: 'DELETE' })
      t.equal(await program.ended, 1, 'a problem that stays ends it')
      t.match(program.output, 'stream_not_found')
    })

  t.test(`${language}: what retention has removed is said, and reading continues behind it`, { skip }, async (t) => {
    const gateway = await startGatewayAt(0)
    t.teardown(async () => { await gateway.end('SIGKILL') })
    const stream = uniqueName('follow')
    const url = `${gateway.url}/v1/streams/${stream}`
    const headers = { 'content-type': 'application/json' }
    await fetch(url, { method: 'PUT', headers, body: '{"maxLengthBytes":1000000,"maxSegmentSizeBytes":500000}' })
    t.teardown(async () => { await fetch(url, { method: 'DELETE' }) })
    const lines = `${'x'.repeat(1000)}\n`.repeat(1000)
    const firstOffset = await until('retention removes something', async () => {
      await fetch(`${url}/messages/lines`, { method: 'POST', body: lines })
      const { firstOffset } = JSON.parse(await (await fetch(url)).text())
      return firstOffset > 0 && Number(firstOffset)
    })
    const program = new Running(t, start(t), { GATEWAY_URL: gateway.url, STREAM: stream, LAST_EVENT_ID: '0' })
    await program.says('caught up')
    const [, to] = /retention has removed offsets 0 to (\d+)\n/.exec(program.output) ?? []
    t.ok(Number(to) >= firstOffset - 1)
    t.match(program.messages[0], `offset ${Number(to) + 1}: `)
  })
}
