import t from 'tap'
import { publishAll } from '../support/filter-requests.ts'
import { startGateway } from '../support/gateway.ts'
import { fieldOf, LiveClient } from '../support/live-client.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)

function urlOf (stream: string, query: string): string {
  return `${gateway.url}/v1/streams/${stream}/consumers/c/messages?${query}`
}

function bodiesOf ({ messages }: LiveClient): unknown[] {
  return messages.map(({ data }) => fieldOf(data, 'body'))
}

async function storedOffset (stream: string): Promise<number> {
  const { json } = await gateway.get(`/v1/streams/${stream}/consumers/c/offset`)
  return Number(fieldOf(json, 'storedOffset') ?? -1)
}

/** Publishes messages of which every tenth has the filter value and the subject `a`. */
async function publishTenths (stream: string, from: number, count: number): Promise<void> {
  for (let n = from; n < from + count; n++) {
    const value = n % 10 === 0 ? 'a' : 'b'
    await publishAll(gateway, stream, [{ body: n, filterValue: value, properties: { subject: value } }])
  }
}

for (const filter of ['filterValue=a', 'match.subject=a']) {
  t.test(`autoCommit stores how far a live read with ${filter} has looked`, async (t) => {
    const stream = await gateway.newStream(t)
    await publishTenths(stream, 0, 25)
    const client = await LiveClient.open(t, urlOf(stream, `autoCommit=true&${filter}`))
    await client.until('the matches', ({ messages }) => messages.length === 3)
    await until('what was passed is stored too', async () => await storedOffset(stream) > 22, 15_000)
    client.close()
    await publishTenths(stream, 25, 10)
    const again = await LiveClient.open(t, urlOf(stream, `autoCommit=true&${filter}&limit=1`))
    await again.until('the end', ({ isClosed }) => isClosed)
    t.same([...bodiesOf(client), ...bodiesOf(again)], [0, 10, 20, 30])
    await until('it is stored at bye', async () => await storedOffset(stream) >= Number(again.offsets[0]), 15_000)
  })

  t.test(`a reset moves a live consumer with ${filter}`, async (t) => {
    const stream = await gateway.newStream(t)
    await publishTenths(stream, 0, 15)
    const client = await LiveClient.open(t, urlOf(stream, filter))
    await client.until('the matches', ({ messages }) => messages.length === 2)
    await gateway.request('PUT', `/v1/streams/${stream}/consumers/c/offset`, { json: { offset: 10 } })
    await gateway.request('POST', `/v1/streams/${stream}/consumers/c/offset/reset`, { json: { to: { offset: 5 } } })
    await client.until('the second match again', ({ messages }) => messages.length === 3)
    t.same(bodiesOf(client), [0, 10, 10])
  })

  t.test(`single active consumers with ${filter}: the next one goes on after what the first has taken`, async (t) => {
    const stream = await gateway.newStream(t)
    const join = async (): Promise<LiveClient> => {
      const client = await LiveClient.open(t, urlOf(stream, `singleActive=true&autoCommit=true&${filter}`))
      await client.until('it is a member', () => client.named('inactive').length > 0)
      return client
    }
    const [first, second] = [await join(), await join()]
    await first.until('it is active', () => first.named('active').length === 1)
    await publishTenths(stream, 0, 25)
    await first.until('the matches', ({ messages }) => messages.length === 3)
    await until('it has looked further', async () => await storedOffset(stream) > 20, 15_000)
    const stored = await storedOffset(stream)
    first.close()
    await second.until('it is active', () => second.named('active').length === 1)
    await publishTenths(stream, 25, 10)
    await second.until('the next match', ({ messages }) => messages.length === 1)
    t.same(bodiesOf(second), [30])
    t.ok(Number(fieldOf(second.named('active')[0], 'nextOffset')) > stored, 'nothing is looked at twice')
  })
}
