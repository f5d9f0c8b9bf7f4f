import t from 'tap'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import type { ConnectionPool } from '../../../src/streams/connections/connection-pool.ts'
import { Slot, type SlotOwner } from '../../../src/streams/connections/slot.ts'
import { StreamsError } from '../../../src/streams/errors.ts'
import { MessageBatch } from '../../../src/streams/message-batch.ts'
import type { Connection } from '../../../src/streams/protocol/index.ts'
import { BatchOutcome } from '../../../src/streams/publishing/outcome.ts'
import { Publisher } from '../../../src/streams/publishing/publisher.ts'
import type { Locator } from '../../../src/streams/topology/locator.ts'
import { exactly } from '../../support/exactly.ts'

// Longer than any of these tests: a pause that begins does not end in it.
const PAUSE_MS = 2000

// Answers one declaration at a time, when the test says so.
class FakeBroker {
  published = 0
  forgotten = 0
  #answer: (error?: Error) => void = () => {}

  publisher (reference: string | undefined): Publisher {
    const node = { host: 'localhost', port: 5552 }
    const locator: Partial<Locator> = { leader: async () => node, relay: async () => node, forget () {} }
    const connections: Partial<ConnectionPool> = { takeSlot: async (_role, _node, owner) => this.#slot(owner) }
    return new Publisher('s', reference, {
      connections: connections as ConnectionPool,
      locator: locator as Locator,
      openTimeoutMs: PAUSE_MS,
      reconnectDelayMs: PAUSE_MS,
      maxReconnectDelayMs: PAUSE_MS
    })
  }

  async answer (error?: Error): Promise<void> {
    await nextTurn()
    this.#answer(error)
    await nextTurn()
  }

  #slot (owner: SlotOwner): Slot {
    const connection: Partial<Connection> = {
      isOpen: true,
      bufferedBytes: 0,
      frameMaxBytes: 1024 * 1024,
      declarePublisher: async () => {
        await new Promise<void>((resolve, reject) => {
          this.#answer = (error) => { error === undefined ? resolve() : reject(error) }
        })
      },
      publish: (_id, count) => { this.published += count }
    }
    const forget = async (): Promise<void> => { this.forgotten++ }
    return new Slot({ connection: connection as Connection, id: 0, owner, forget, onFree () {} })
  }
}

t.test('a message that was queued while another caller opens leaves with that declaration', async (t) => {
  const broker = new FakeBroker()
  const publisher = broker.publisher(undefined)
  const opening = publisher.open()
  const { outgoing, outcome } = message()
  publisher.send(outgoing)
  await broker.answer()
  await opening
  await nextTurn()
  t.equal(broker.published, 1)
  t.equal(publisher.declarations, 1)
  publisher.close({ how: 'stopping' })
  await outcome.settled
  t.match(outcome.result, { failures: exactly({ status: 'unknown', error: { code: 'draining' } }) })
})

t.test('when the declaration fails that a message waits for, the message is not sent', async (t) => {
  const broker = new FakeBroker()
  const publisher = broker.publisher(undefined)
  const opening = publisher.open()
  const { outgoing, outcome } = message()
  publisher.send(outgoing)
  const refused = t.rejects(opening, { code: 'access_refused' })
  await broker.answer(new StreamsError('access_refused', 'no'))
  await refused
  await outcome.settled
  t.match(outcome.result, { failures: exactly({ status: 'failed', error: { code: 'access_refused' } }) })
  t.ok(publisher.isIdle)
})

t.test('a declaration that succeeds after the close gives its place back', async (t) => {
  const broker = new FakeBroker()
  const publisher = broker.publisher(undefined)
  const refused = t.rejects(publisher.open(), { code: 'draining' })
  await nextTurn()
  publisher.close({ how: 'stopping' })
  await broker.answer()
  await refused
  t.equal(broker.forgotten, 1)
  const { outgoing, outcome } = message()
  publisher.send(outgoing)
  await outcome.settled
  t.match(outcome.result, { failures: exactly({ status: 'failed', error: { code: 'draining' } }) })
})

t.test('a named publisher that is closed while it is declared again does not pause', async (t) => {
  const broker = new FakeBroker()
  const publisher = broker.publisher('name')
  const { outgoing, outcome } = message(1)
  publisher.send(outgoing)
  await nextTurn()
  const timers = countTimers()
  publisher.close({ how: 'stopping' })
  await broker.answer(new StreamsError('broker_timeout', 'too late'))
  await outcome.settled
  await delay(5)
  t.equal(countTimers(), timers)
})

t.test('a named publisher is idle once the message that it was to be declared again for is given up', async (t) => {
  const broker = new FakeBroker()
  const publisher = broker.publisher('name')
  const { outgoing, outcome } = message(1)
  publisher.send(outgoing)
  t.notOk(publisher.isIdle)
  await broker.answer(new StreamsError('broker_timeout', 'too late'))
  await nextTurn()
  publisher.giveUp(outcome, new StreamsError('broker_timeout', 'not sent'), new StreamsError('confirm_timeout', 'sent'))
  t.match(outcome.result, { failures: exactly({ status: 'failed', error: { code: 'broker_timeout' } }) })
  t.ok(publisher.isIdle, 'while it pauses between two attempts, too')
  publisher.close({ how: 'idle' })
})

function message (publishingId?: number) {
  const batch = new MessageBatch()
  batch.addData(Buffer.from('m'), publishingId)
  const outcome = new BatchOutcome(batch.count, 0)
  return { outcome, outgoing: { batch, outcome, signal: undefined } }
}

function countTimers (): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
}
