import t from 'tap'
import { answerFrame, type Answer } from '../protocol/scripted-broker.ts'
import { CommandKey } from '../../../src/streams/protocol/index.ts'
import { MessageBatch, ReadFilter } from '../../../src/streams/index.ts'
import { scriptedStream } from '../../support/scripted-stream.ts'

const search = {
  filter: new ReadFilter({ values: ['a'], matchUnfiltered: false, conditions: [] }),
  turn: async () => {}
}
const read = { from: { type: 'offset', offset: 0 }, limit: 10, maxBytes: 1000, waitMs: 0, search } as const
const signal = new AbortController().signal

t.test('a broker that does not know filter values is told from one that fails', async (t) => {
  const exchangeCommandVersions: Answer = ({ correlationId, reply }) => {
    reply(answerFrame('exchangeCommandVersions', correlationId, 1, (writer) => {
      writer.array([[CommandKey.publish, 1, 1]], (to, numbers) => { for (const number of numbers) to.u16(number) })
    }))
  }
  const { broker } = await scriptedStream(t, {
    answers: { exchangeCommandVersions },
    published: ({ publishingIds, confirm }) => { confirm(...publishingIds) }
  })
  const unsupported = { code: 'unsupported_by_broker', retryable: false, sideEffects: 'none' }
  const batch = new MessageBatch()
  batch.addData(Buffer.from('x'), undefined, undefined, Buffer.from('a'))
  await t.rejects(broker.publishing.publish('s', batch), unsupported)
  await t.rejects(broker.reading.read('s', read, signal), unsupported)
  const plain = new MessageBatch()
  plain.addData(Buffer.from('x'))
  t.match(await broker.publishing.publish('s', plain), { confirmed: 1 }, 'messages without one are published')
})

t.test('a broker that looks for matches for long answers later reads when it has found none', async (t) => {
  let answer = (): void => {}
  let isLooking = true
  let asked = 0
  const streamStats: Answer = ({ correlationId, reply }) => {
    const stats = [['first_chunk_id', 0n], ['last_chunk_id', 70n], ['committed_chunk_id', 70n]] as const
    const send = (): void => {
      reply(answerFrame('streamStats', correlationId, 1, (writer) => {
        return writer.array(stats, (to, [name, value]) => to.string(name).i64(value))
      }))
    }
    asked++
    if (isLooking) answer = send
    else send()
  }
  let subscriptions = 0
  const { broker } = await scriptedStream(t, {
    answers: { streamStats },
    subscribed: () => { subscriptions++ }
  }, { requestTimeoutMs: 1000, readerIdleMs: 500 })
  const startedMs = performance.now()
  const first = await broker.reading.read('s', read, signal)
  const tookMs = performance.now() - startedMs
  t.match({ count: first.count, nextOffset: first.nextOffset, endOfStream: first.endOfStream }, {
    count: 0, nextOffset: 0, endOfStream: false
  })
  t.ok(tookMs >= 4900 && tookMs < 8000, `it took ${Math.round(tookMs)} ms`)
  broker.sweep()
  t.equal(asked, 1, 'no deadline of a request has ended the connection')
  const second = broker.reading.read('s', read, signal)
  isLooking = false
  answer()
  t.match(await second, { count: 0, nextOffset: 71, endOfStream: true })
  t.equal(subscriptions, 1, 'the second read goes on with the subscription of the first')
})
