import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { consumerOf } from '../support/consumer-requests.ts'
import { startGateway } from '../support/gateway.ts'

const gateway = await startGateway(t)
const { read, reset, store } = consumerOf(gateway)

t.test('a consumer that is moved while its answer is made gets the answer of its new place', async (t) => {
  const stream = await gateway.newStream(t)
  // As JSON six times as long: making the answer takes many turns of the event loop.
  const body = '\u0001'.repeat(900 * 1024)
  for (let n = 0; n < 8; n++) {
    await gateway.request('POST', `/v1/streams/${stream}/messages/raw`, {
      body, headers: { 'content-type': 'text/plain' }
    })
  }
  let empty = 0
  for (let round = 0; round < 20; round++) {
    await reset(stream, 'first')
    const reading = read(stream, `?autoCommit=true&limit=4&maxBytes=${16 * 1024 * 1024}`)
    await delay(5 * round)
    // 503 when the read stored its offset at the same moment, after this one.
    const { status } = await store(stream, { offset: 7 })
    t.ok(status === 200 || status === 503, String(status))
    const { json, headers } = await reading
    const { messages, nextOffset } = batchIn(json)
    t.equal(String(nextOffset), headers['stream-next-offset'], 'the body and the headers are of one batch')
    t.ok(messages.length === 0 ? nextOffset >= 8 : nextOffset <= 8)
    if (messages.length === 0) empty++
  }
  t.ok(empty > 0, `${empty} of 20 reads were overtaken by a commit`)
})

function batchIn (json: unknown): { messages: unknown[], nextOffset: number } {
  if (typeof json !== 'object' || json === null || !('messages' in json) || !('nextOffset' in json)) {
    throw new Error(`not a batch: ${JSON.stringify(json)}`)
  }
  const { messages, nextOffset } = json
  if (!Array.isArray(messages) || typeof nextOffset !== 'number') throw new Error('not a batch')
  return { messages, nextOffset }
}
