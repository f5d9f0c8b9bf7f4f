import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { until } from '../support/until.ts'
import { getJson, startGatewayProcess } from './support.ts'

t.jobs = 2

const PROGRAMS = {
  python: ['python3', 'examples/python/share_the_work.py'],
  javascript: [process.execPath, 'examples/javascript/share-the-work.mjs']
} as const

/** A worker that runs, and what it has said. */
class Worker {
  readonly ended: Promise<unknown>
  readonly #child
  output = ''

  constructor (t: Test, [command = '', ...args]: readonly string[], env: Record<string, string>) {
    this.#child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream.on('data', (chunk: Buffer) => { this.output += chunk.toString() })
    }
    this.ended = once(this.#child, 'close')
    t.teardown(() => { this.kill() })
  }

  get partitions (): number {
    const has = new Set<string>()
    for (const [, not, partition = ''] of this.output.matchAll(/^has (not )?(\S+)$/gm)) {
      if (not === undefined) has.add(partition)
      else has.delete(partition)
    }
    return has.size
  }

  get messages (): string[] {
    return this.output.split('\n').filter((line) => / \d+: /.test(line))
  }

  kill (): void {
    this.#child.kill('SIGKILL')
  }
}

async function publish (gateway: string, superStream: string, from: number): Promise<void> {
  const messages = Array.from({ length: 40 }, (_, n) => ({ routingKey: `key-${n}`, body: { n: from + n } }))
  const { status } = await fetch(`${gateway}/v1/super-streams/${superStream}/messages`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ messages })
  })
  if (status !== 200) throw new Error(`the messages were answered with ${status}`)
}

for (const [language, command] of Object.entries(PROGRAMS)) {
  t.test(`${language}: two workers share the partitions, one goes on where the other was killed`, async (t) => {
    const gateway = await startGatewayProcess(t)
    const superStream = `shared-${language}`
    t.teardown(async () => { await fetch(`${gateway}/v1/super-streams/${superStream}`, { method: 'DELETE' }) })
    const env = { GATEWAY_URL: gateway, SUPER_STREAM: superStream }
    const first = new Worker(t, command, env)
    await until('the first one has all partitions', () => first.partitions === 4).catch((error: unknown) => {
      throw new Error(first.output, { cause: error })
    })
    await publish(gateway, superStream, 0)
    await until('all is processed', () => first.messages.length === 40)
    const second = new Worker(t, command, env)
    await until('both have two', () => first.partitions === 2 && second.partitions === 2, 30_000)
    t.same(second.messages, [], 'nothing that was stored comes again')
    await publish(gateway, superStream, 40)
    await until('all is processed', () => first.messages.length + second.messages.length >= 80)
    t.ok(second.messages.length > 0)
    first.kill()
    await until('the other one has all', () => second.partitions === 4, 30_000)
    await publish(gateway, superStream, 80)
    await until('all is processed', () => new Set([...first.messages, ...second.messages]).size === 120)
    await until('all is stored', async () =>
      (await getJson(`${gateway}/v1/super-streams/${superStream}/consumers/billing/offset`)).lag === 0, 30_000)
  })
}
