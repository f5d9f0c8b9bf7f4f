import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { createInterface } from 'node:readline'
import t, { type Test } from 'tap'
import { testManagementUrl, testStreamUrl } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { GatewayProcess } from '../support/gateway-process.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import { testAddresses } from '../support/streams.ts'
import { manage } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

// A few milliseconds where nothing else runs. Without a word of the broker, heartbeats would take 10 seconds or more.
const QUICKLY_MS = 4000

const here = await startGateway(t)

function urlOf (stream: string, { url }: { readonly url: string } = here): string {
  return `${url}/v1/streams/${stream}/consumers/c/messages?singleActive=true`
}

async function join (t: Test, url: string, headers?: Record<string, string>): Promise<LiveClient> {
  const client = await LiveClient.open(t, url, headers)
  await client.until('it is a member', (client) => client.named('inactive').length > 0)
  return client
}

async function storeAt (stream: string, offset: number): Promise<void> {
  const { status, text } = await here.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset } })
  if (status !== 200) throw new Error(`the store was answered with ${text}`)
}

interface Native {
  readonly offsets: number[]
  /** When it was asked where it begins, by performance.now(). */
  readonly askedMs: number[]
  readonly kill: () => void
}

/** A native member in a process of its own. @param answerMs how long it takes to say where it begins */
async function joinNative (t: Test, stream: string, answerMs = 0): Promise<Native> {
  const { host, port } = testAddresses()
  const program = ['--import', 'tsx', 'test/support/native-member.ts', host, String(port), stream, String(answerMs)]
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'pipe', 'inherit'] })
  const kill = (): void => { child.kill('SIGKILL') }
  t.teardown(kill)
  const native: Native = { offsets: [], askedMs: [], kill }
  let isMember = false
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said: unknown = JSON.parse(line)
    const offset = fieldOf(said, 'offset')
    if (typeof offset === 'number') native.offsets.push(offset)
    else if (fieldOf(said, 'asked') === true) native.askedMs.push(performance.now())
    else isMember = true
  })
  await until('the native client is a member', () => isMember)
  return native
}

/** The offsets of all messages of the stream, by a read of their own: records of the broker take offsets too. */
async function messagesOf (stream: string): Promise<number[]> {
  const { json } = await here.get(`/v1/streams/${stream}/messages?limit=10000`)
  const messages = fieldOf(json, 'messages')
  return Array.isArray(messages) ? messages.map((message) => Number(fieldOf(message, 'offset'))) : []
}

/** What is wrong with a part of the ledger: it begins where it may, has every message once, and is in order. */
function faultsOf (offsets: readonly number[], all: readonly number[]): string[] {
  const [first] = offsets
  const expected = all.slice(first === undefined ? 0 : all.indexOf(first)).slice(0, offsets.length)
  return offsets.flatMap((offset, index) => offset === expected[index]
    ? []
    : [`${offset} came where ${expected[index]} was to come`])
}

t.test('whichever member is killed, nothing is lost, and what was stored does not come again', async (t) => {
  const env = { AUTH: 'none', RABBITMQ_STREAM_URL: testStreamUrl(), RABBITMQ_MANAGEMENT_URL: testManagementUrl() }
  const killed = await GatewayProcess.start({ env })
  t.teardown(async () => { await killed.end('SIGKILL') })
  const stream = await here.newStream(t)
  const publish = async (count: number): Promise<void> => {
    const body = 'line\n'.repeat(count)
    t.equal((await here.request('POST', `/v1/streams/${stream}/messages/lines`, { body })).status, 200)
  }
  const first = await join(t, urlOf(stream, killed))
  await first.until('it is active', (client) => client.named('active').length === 1)
  const native = await joinNative(t, stream)
  await publish(500)
  await first.until('it has read', ({ messages }) => messages.length === 500)
  await storeAt(stream, 300)
  t.same(native.offsets, [])
  const killedMs = performance.now()
  killed.child.kill('SIGKILL')
  await until('the native client is active', () => native.askedMs.length > 0)
  const tookMs = Math.min(...native.askedMs) - killedMs
  t.ok(tookMs < QUICKLY_MS, `it took ${tookMs} ms`)
  await publish(100)
  await until('the native client has read', () => native.offsets.length === 299, 15_000)
  t.equal(native.offsets[0], 301, 'after what was stored')

  const second = await join(t, urlOf(stream))
  t.same(second.messages, [])
  const nativeStored = native.offsets[199] ?? 0
  await storeAt(stream, nativeStored)
  const brokenMs = performance.now()
  native.kill()
  await second.until('it is active', (client) => client.named('active').length === 1)
  const handedMs = performance.now() - brokenMs
  t.ok(handedMs < QUICKLY_MS, `it took ${handedMs} ms`)
  await publish(100)
  const all = await messagesOf(stream)
  t.equal(all.length, 700)
  await second.until('it has read', ({ offsets }) => offsets.at(-1) === all.at(-1))
  t.equal(second.offsets[0], all[all.indexOf(nativeStored) + 1], 'after what was stored')
  for (const offsets of [first.offsets, native.offsets, second.offsets]) t.same(faultsOf(offsets, all), [])
  t.same([...new Set([...first.offsets, ...native.offsets, ...second.offsets])].sort((a, b) => a - b), all)
  const repeated = first.offsets.length + native.offsets.length + second.offsets.length - all.length
  t.equal(repeated, 199 + 99, 'what was not stored')
})

t.test('a native client that takes long to say where it begins is waited for, in its group only', async (t) => {
  const stream = await here.newStream(t)
  await here.publish(stream, 'a', 'b', 'c')
  const first = await join(t, urlOf(stream))
  await first.until('it has read', ({ messages }) => messages.length === 3)
  await storeAt(stream, 1)
  const late = await joinNative(t, stream, 3000)
  const third = await join(t, urlOf(stream))
  const elsewhere = await here.newStream(t)
  first.close()
  await until('the native client is asked', () => late.askedMs.length === 1)
  const other = await join(t, urlOf(elsewhere))
  await other.until('groups of other streams go on meanwhile', (client) => client.named('active').length === 1)
  t.same(late.offsets, [])
  await until('it reads', () => late.offsets.length === 1, 15_000)
  t.same([late.offsets, third.messages], [[2], []])
  late.kill()
  await third.until('the next one reads', ({ messages }) => messages.length === 1)
  t.match(third.messages, exactly({ data: { offset: 2, body: 'c' } }))
})

t.test('a user of RabbitMQ that may no longer read is told so, and the next member becomes active', async (t) => {
  const stream = await here.newStream(t)
  const user = `reader-${randomUUID()}`
  await manage('PUT', `users/${user}`, { password: 'secret', tags: '' })
  t.teardown(async () => { await manage('DELETE', `users/${user}`) })
  const permit = async (read: string): Promise<void> => {
    await manage('PUT', `permissions/%2f/${user}`, { configure: '', write: '', read })
  }
  await permit('.*')
  const gateway = await startGateway(t, { AUTH: 'rabbitmq', AUTH_CACHE_SECONDS: '1', AUTH_RECHECK_SECONDS: '1' })
  const headers = { authorization: `Basic ${btoa(`${user}:secret`)}` }
  await here.publish(stream, 'a', 'b', 'c')
  const first = await join(t, urlOf(stream, gateway), headers)
  await first.until('it has read', ({ messages }) => messages.length === 3)
  await storeAt(stream, 1)
  const second = await join(t, urlOf(stream))
  await permit('^$')
  await first.until('it is ended', ({ isClosed }) => isClosed)
  t.match(first.named('problem'), exactly({ status: 403 }))
  t.ok(first.isWhole)
  await second.until('the next one reads', ({ messages }) => messages.length === 1)
  t.match(second.messages, exactly({ data: { offset: 2, body: 'c' } }))
  const { status } = await gateway.get(`/v1/streams/${stream}/consumers/c/messages?singleActive=true`, {
    ...headers, accept: 'text/event-stream'
  })
  t.equal(status, 403)
})
