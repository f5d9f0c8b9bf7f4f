import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer } from '../support/gateway.ts'

// Publisher names: what the answers say of their last publishing ids, and names that are used up.
const gateway = await startGateway(t)
const MAX_ID = Number.MAX_SAFE_INTEGER

async function publishIds (stream: string, query: string, ...ids: number[]): Promise<Answer> {
  const messages = ids.map((publishingId) => ({ body: publishingId, publishingId }))
  return await gateway.request('POST', `/v1/streams/${stream}/messages?publisher=p${query}`, { json: { messages } })
}

async function publishLines (stream: string, query: string, body: string): Promise<Answer> {
  return await gateway.request('POST', `/v1/streams/${stream}/messages/lines${query}`, { body })
}

async function publishRaw (stream: string, id: number): Promise<Answer> {
  const headers = { 'publishing-id': String(id) }
  return await gateway.request('POST', `/v1/streams/${stream}/messages/raw?publisher=p`, { headers, body: 'x' })
}

t.test('every answer to a named publish carries the last publishing id', async (t) => {
  const stream = await gateway.newStream(t)
  t.same((await publishIds(stream, '', 5)).json, { confirmed: 1, duplicates: 0, lastPublishingId: 5 })
  t.same((await publishIds(stream, '', 3, 5)).json, { confirmed: 0, duplicates: 2, lastPublishingId: 5 })
  t.same((await publishIds(stream, '', 5, 9)).json, { confirmed: 1, duplicates: 1, lastPublishingId: 9 })
  t.same((await publishRaw(stream, 12)).json, { confirmed: 1, duplicates: 0, lastPublishingId: 12 })
  const lines = await publishLines(stream, '?publisher=p&firstPublishingId=12', 'a\nb\n')
  t.same(lines.json, { confirmed: 1, duplicates: 1, lastPublishingId: 13 })
})

t.test('an answer to a publish without a name has no last publishing id', async (t) => {
  const stream = await gateway.newStream(t)
  t.same((await gateway.publish(stream, 1)).json, { confirmed: 1, duplicates: 0 })
})

t.test('a request that is nothing but old ids is answered with how far behind it is', async (t) => {
  const stream = await gateway.newStream(t)
  await publishIds(stream, '', 1_000_000)
  const { status, json } = await publishIds(stream, '', 1, 2)
  t.equal(status, 200)
  t.same(json, { confirmed: 0, duplicates: 2, lastPublishingId: 1_000_000 })
})

t.test('a problem of a streamed publish says the last publishing id beside what is stored', async (t) => {
  const stream = await gateway.newStream(t)
  const { json } = await publishLines(stream, `?publisher=p&firstPublishingId=${MAX_ID - 1}`, 'a\nb\nc\nd\n')
  t.match(json, {
    status: 400,
    errors: exactly({ pointer: '/2', message: /beyond 9007199254740991/ }),
    published: { confirmed: 2, duplicates: 0, lastPublishingId: MAX_ID }
  })
})

t.test('a name whose ids are used up is refused, whatever it sends and however', async (t) => {
  const stream = await gateway.newStream(t)
  const filled = await publishIds(stream, '', MAX_ID)
  t.same(filled.json, { confirmed: 1, duplicates: 0, lastPublishingId: MAX_ID }, 'the highest id itself is stored')
  const answers = [
    await publishIds(stream, '', 1),
    await publishIds(stream, '', MAX_ID),
    await publishIds(stream, `&expectedLastPublishingId=${MAX_ID}`, 7),
    await publishRaw(stream, 1),
    await publishLines(stream, '?publisher=p&firstPublishingId=1', 'a\nb\n')
  ]
  for (const { json } of answers) {
    t.match(json, { status: 409, code: 'publisher_exhausted', retryable: false, sideEffects: 'none' })
    t.match(json, { lastPublishingId: MAX_ID, detail: /"p".*9007199254740991.*another name/ })
  }
  t.match((await publishIds(stream, '&expectedLastPublishingId=3', 7)).json, { status: 412, lastPublishingId: MAX_ID })
  const other = await publishLines(stream, '?publisher=q&firstPublishingId=1', 'a\n')
  t.same(other.json, { confirmed: 1, duplicates: 0, lastPublishingId: 1 }, 'another name')
  t.match((await gateway.get(`/v1/streams/${stream}`)).json, { nextOffset: 2 }, 'nothing else is stored')
})

t.test('one id below the highest is not used up', async (t) => {
  const stream = await gateway.newStream(t)
  await publishIds(stream, '', MAX_ID - 1)
  t.same((await publishIds(stream, '', 1)).json, { confirmed: 0, duplicates: 1, lastPublishingId: MAX_ID - 1 })
  t.same((await publishIds(stream, '', MAX_ID)).json, { confirmed: 1, duplicates: 0, lastPublishingId: MAX_ID })
})
