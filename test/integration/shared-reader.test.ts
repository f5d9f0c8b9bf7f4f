import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { ByteBudget } from '../../src/streams/common/budget.ts'
import { Cap } from '../../src/streams/common/cap.ts'
import { ConnectionPool } from '../../src/streams/connections/connection-pool.ts'
import { Dialing } from '../../src/streams/connections/dialing.ts'
import { Expansions } from '../../src/streams/reading/expansions.ts'
import { StreamNames } from '../../src/streams/topology/stream-names.ts'
import { SuperStreams } from '../../src/streams/topology/super-streams.ts'
import { Locator } from '../../src/streams/topology/locator.ts'
import { poll } from '../../src/streams/reading/poll.ts'
import { ReaderPool } from '../../src/streams/reading/reader-pool.ts'
import { StreamEnds } from '../../src/streams/topology/stream-ends.ts'
import { batchOf, newStream, numbered, openBroker, testAddresses } from '../support/streams.ts'

const quiet = { debug () {}, info () {}, warn () {}, error () {} }

/** Answers no question for the first offset before it is told to. */
class SlowEnds extends StreamEnds {
  readonly #latch = new EventEmitter()
  readonly asked = once(this.#latch, 'asked')
  readonly #mayAnswer = once(this.#latch, 'answer')

  answer (): void {
    this.#latch.emit('answer')
  }

  override async firstOffset (stream: string): Promise<number> {
    this.#latch.emit('asked')
    await this.#mayAnswer
    return await super.firstOffset(stream)
  }
}

t.test('a poll that is overtaken by others of the same reader misses nothing', async (t) => {
  const broker = openBroker(t)
  const stream = await newStream(t, broker)
  const windowBytes = 64 * 1024
  // A hole behind the first messages: the broker's record of a stored offset.
  await broker.publishing.publish(stream, batchOf(['first', 'second']))
  await broker.consumers.storeOffset(stream, 'c', 0)
  const bodies = numbered(4000).map((body) => `${body} ${'x'.repeat(100)}`)
  for (let from = 0; from < bodies.length; from += 100) {
    await broker.publishing.publish(stream, batchOf(bodies.slice(from, from + 100)))
  }

  const { connections, locator } = connectionsFor(t)
  const ends = new StreamEnds(connections, locator)
  const slowEnds = new SlowEnds(connections, locator)
  const budget = new ByteBudget(1024 * windowBytes)
  const readers = new ReaderPool({
    connections,
    locator,
    ends,
    budget,
    cap: new Cap(10),
    expansions: new Expansions(1024, budget, () => {}),
    limits: { readerWindowBytes: windowBytes, readerIdleMs: 60_000, maxScanBytes: 1024 * 1024 }
  })
  t.teardown(() => { readers.close() })
  const read = async (offset: number, limit: number, ends: StreamEnds) => {
    const batch = await poll(
      { stream, offset, isReachable: true, limit, maxBytes: windowBytes, waitMs: 0 },
      { readers, ends, isDraining: () => false },
      new AbortController().signal
    )
    batch.release()
    return batch
  }

  const slow = read(0, 200, slowEnds)
  await slowEnds.asked
  let offset = 1
  for (let polls = 0; offset < 3000 && polls < 200; polls++) offset = (await read(offset, 100, ends)).nextOffset
  t.equal(readers.size, 1, 'they share a reader')
  slowEnds.answer()
  const { messages, gap } = await slow
  t.equal(gap, undefined)
  t.same(messages.slice(0, 5).map((message) => message.offset), [0, 1, 3, 4, 5])
})

function connectionsFor (t: Parameters<typeof openBroker>[0]): { connections: ConnectionPool, locator: Locator } {
  const { host, port } = testAddresses()
  const connections = new ConnectionPool({
    hosts: [{ host, port }],
    addressMode: 'advertised',
    open: {
      authentication: { mechanism: 'PLAIN', username: 'guest', password: 'guest' },
      virtualHost: '/',
      client: { product: 'test', version: '0' },
      frameMaxBytes: 1024 * 1024,
      heartbeatSeconds: 60,
      connectTimeoutMs: 10_000,
      requestTimeoutMs: 10_000
    },
    connectionIdleMs: 60_000,
    reconnectDelayMs: 50,
    maxReconnectDelayMs: 500,
    dialing: new Dialing(100),
    logger: quiet
  })
  t.teardown(async () => await connections.close())
  return { connections, locator: new Locator(connections, new SuperStreams(connections, new StreamNames('{name}'))) }
}
