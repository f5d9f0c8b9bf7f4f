import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'

const gateway = await startGateway(t)

t.test('one spelling of a publisher name is one name in paths and in queries', async (t) => {
  const stream = await gateway.newStream(t)
  const path = `/v1/streams/${stream}`
  const json = { messages: [{ publishingId: 7, body: 1 }] }
  for (const name of ['etl+1', '+', 'a+b+c']) {
    const { json: refused } = await gateway.request('POST', `${path}/messages?publisher=${name}`, { json })
    t.match(refused, { status: 400, code: 'validation_failed', errors: exactly({ pointer: '/query/publisher' }) }, name)
  }
  for (const name of ['etl%2B1', 'etl%201', 'etl%252B1']) {
    t.equal((await gateway.request('POST', `${path}/messages?publisher=${name}`, { json })).status, 200, name)
    t.match((await gateway.get(`${path}/publishers/${name}`)).json, { lastPublishingId: 7 }, name)
  }
  const { json: plus } = await gateway.get(`${path}/publishers/etl+1`)
  t.match(plus, { name: 'etl+1', lastPublishingId: 7 }, 'a plus in a path')
})
