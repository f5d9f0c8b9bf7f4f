import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { MessageBatch } from '../../src/streams/index.ts'
import { startPrivateBroker } from '../support/broker.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { throughProxy, untilItWorks } from '../support/through-proxy.ts'
import { until } from '../support/until.ts'

t.setTimeout(300_000)

const LINES = 1000

interface Outcome {
  confirmed: number
  unknown?: number
  results?: Array<{ index: number, status: string }>
}

function line (n: number): string {
  return `{"id":${n},"note":"an order that was sent to Berlin"}\n`
}

function isOutcome (json: unknown): json is Outcome {
  return typeof json === 'object' && json !== null && 'confirmed' in json && typeof json.confirmed === 'number'
}

/** The outcome in an answer, of a problem too. */
function outcomeIn (json: unknown): Outcome {
  const outcome = typeof json === 'object' && json !== null && 'published' in json ? json.published : json
  if (!isOutcome(outcome)) throw new Error(`no outcome in ${JSON.stringify(json)}`)
  return outcome
}

t.test('when the broker is killed amid a compressed request, its counts are true for each message', async (t) => {
  const { node } = await startPrivateBroker(t)
  const gateway = await startGateway(t, {
    RABBITMQ_STREAM_URL: node.streamUrl,
    RABBITMQ_MANAGEMENT_URL: node.managementUrl,
    RABBITMQ_MAX_RECONNECT_DELAY_MS: '500'
  })
  const stream = await gateway.newStream(t)
  await delay(2500) // RabbitMQ 4.0.5 that is killed within a second of creating a stream does not find it again
  const path = `/v1/streams/${stream}/messages/lines`
  let sent = 0
  const over = new AbortController()
  async function * endless () {
    while (!over.signal.aborted) {
      yield Buffer.from(Array.from({ length: LINES }, () => line(sent++)).join(''))
      await delay(2)
    }
  }
  const answer = gateway.request('POST', `${path}?compression=gzip`, { body: endless() })
  await until('messages are stored', async () => (await gateway.get(`${path}?offset=20000&limit=1`)).status === 200)
  await node.kill('SIGKILL')
  await delay(200)
  over.abort()
  const { confirmed, unknown = 0, results = [] } = outcomeIn((await answer).json)
  const doubtful = unknown + results.filter(({ status }) => status === 'unknown').length
  t.ok(confirmed >= 20_000, `${confirmed} confirmed`)
  t.ok(confirmed + doubtful <= sent, `${doubtful} of ${sent} unknown`)
  t.same(results.map(({ index }) => index), results.map((_, at) => confirmed + at), 'each is named by its place')

  await node.start()
  await until('ready again', async () => (await gateway.get('/health/ready')).status === 200)
  let stored = 0
  for (let text = '-'; text !== '';) {
    text = (await gateway.get(`${path}?offset=${stored}&limit=10000&maxBytes=1000000`)).text
    for (const one of text.split(/(?<=\n)/)) if (one !== '' && one !== line(stored++)) t.fail(`${one} at ${stored}`)
    if (stored >= confirmed + doubtful) break
  }
  t.ok(stored >= confirmed, `${stored} stored`)
  t.ok(stored <= confirmed + doubtful)
})

t.test('a broker that stands still holds up the body of a compressed request, and memory stays bounded', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t)
  const session = broker.publishing.open(stream, { compression: 'gzip' })
  const batch = new MessageBatch()
  // Does not become smaller by much.
  for (let n = 0; n < 64; n++) batch.addData(Buffer.from(Array.from({ length: 1024 }, () => Math.random() * 256)))
  await session.write(batch)
  await session.flush()
  proxy.pause()
  let written = 0
  const writing = (async () => {
    for (; written < 500; written++) await session.write(batch)
  })()
  await until('a write waits', async () => {
    const before = written
    await delay(300)
    return written === before
  })
  t.ok(written < 150, `${written} of 500 batches were taken`)
  t.ok(broker.stats().publishBudgetUsedBytes < 8 * 1024 * 1024)
  proxy.resume()
  await writing
  await session.flush()
  t.match(await session.finish(), { confirmed: 501 * 64, failures: exactly() })
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})

t.test('entries that were on their way when the connection broke are unknown, with all their messages', async (t) => {
  const { proxy, broker, stream } = await throughProxy(t)
  const batch = new MessageBatch()
  for (let n = 0; n < 1500; n++) batch.addData(Buffer.from(line(n)))
  await untilItWorks(async () => { await broker.publishing.publish(stream, new MessageBatch(), {}) })
  const session = broker.publishing.open(stream, { compression: 'gzip' })
  proxy.pause()
  await session.write(batch)
  await session.flush()
  await delay(50)
  proxy.killConnections()
  proxy.resume()
  const { confirmed, failures } = await session.finish()
  t.equal(confirmed, 0)
  t.same(failures.map(({ index }) => index), Array.from({ length: 1500 }, (_, index) => index))
  t.same([...new Set(failures.map(({ status, error }) => `${status} ${error.code}`))], ['unknown broker_unavailable'])
  t.equal(broker.stats().publishBudgetUsedBytes, 0)
})
