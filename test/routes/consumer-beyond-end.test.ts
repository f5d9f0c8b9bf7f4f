import t from 'tap'
import { open } from '../integration/open-connection.ts'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'

const gateway = await startGateway(t)

t.test('a stored offset beyond the end is called that, with every digit, and its reads name the reset', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3)
  const { connection } = await open(t) // another client
  const cases = [
    [1795754747277n, 1795754747277, 1795754747278],
    [2n ** 53n, '9007199254740992', '9007199254740993'],
    [2n ** 64n - 1n, '18446744073709551615', '18446744073709551616']
  ] as const
  for (const [stored, storedOffset, nextOffset] of cases) {
    await connection.storeAndQueryOffset(`c${stored}`, stream, stored)
    const path = `/v1/streams/${stream}/consumers/c${stored}`
    const view = { storedOffset, nextOffset, state: 'beyond_end', lag: null }
    t.match((await gateway.get(`${path}/offset`)).json, { ...view, lastOffset: 2 })
    const list = (await gateway.get(`/v1/streams/${stream}/consumers`)).json
    t.match(list, { consumers: exactly({ name: `c${stored}`, ...view }) })
    const read = (await gateway.get(`${path}/messages`)).json
    t.match(read, { status: 416, code: 'offset_out_of_range', detail: /POST \.\.\.\/offset\/reset/ })
    const commit = await gateway.get(`${path}/messages?commit=1`)
    t.match(commit.json, { status: 409, code: 'offset_goes_back', storedOffset, detail: new RegExp(` ${stored} `) })
    t.match((await gateway.request('PUT', `${path}/offset`, { json: { offset: 1, expected: 0 } })).json, {
      status: 412, storedOffset, detail: new RegExp(` ${stored},`)
    })
    const reset = await gateway.request('POST', `${path}/offset/reset`, { json: { to: 'next' } })
    t.equal(reset.status, 200)
    t.match((await gateway.get(`${path}/offset`)).json, { state: 'ok', lag: 0 })
    t.equal((await gateway.get(`${path}/messages`)).status, 200)
    await gateway.request('DELETE', `/v1/streams/${stream}`)
    await gateway.request('PUT', `/v1/streams/${stream}`, { json: {} })
    await gateway.publish(stream, 1, 2, 3)
  }
})

t.test('a commit that goes back says what is stored, and the same poll without it goes on there', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1, 2, 3, 4)
  const path = `/v1/streams/${stream}/consumers/c`
  await gateway.request('PUT', `${path}/offset`, { json: { offset: 2 } })
  const late = await gateway.get(`${path}/messages?commit=1`)
  t.match(late.json, { status: 409, code: 'offset_goes_back', storedOffset: 2, detail: /the stored offset is 2 / })
  t.match((await gateway.get(`${path}/messages`)).json, { messages: exactly({ body: 4 }), commitOffset: 3 })
})

t.test('a consumer whose records follow the last message is not beyond the end', async (t) => {
  const stream = await gateway.newStream(t)
  await gateway.publish(stream, 1)
  const path = `/v1/streams/${stream}/consumers/c/offset`
  for (let n = 0; n < 3; n++) await gateway.request('POST', `${path}/reset`, { json: { to: 'next' } })
  t.match((await gateway.get(path)).json, { state: 'ok', lag: 0, lastOffset: 0 })
})
