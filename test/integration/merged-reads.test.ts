import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Gateway } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'
import {
  cursorOf, messagesOf, readToEnd, superStreamOf, type PartitionMessage
} from '../support/super-stream-requests.ts'
import { manage } from '../support/super-streams.ts'
import { until } from '../support/until.ts'

const gateway = await startGateway(t)
const pathOf = (superStream: string) => `/v1/super-streams/${superStream}/messages`
const random = (below: number) => Math.floor(Math.random() * below)
const SUFFIXES = ['0', '1', '2', '3', 'eu']

/** All messages of a partition, by a plain read. */
async function ofPartition (gateway: Gateway, partition: string): Promise<PartitionMessage[]> {
  const { json } = await gateway.get(`/v1/streams/${partition}/messages?limit=10000&maxBytes=10000000`)
  return list(record(json)['messages']).map((message) => {
    const { offset, body } = record(message)
    return { partition, offset: Number(offset), body }
  })
}

t.test('a merged read is the union of the reads of its partitions, whatever the pages', async (t) => {
  const name = await superStreamOf(t, ...SUFFIXES)
  const partitions = SUFFIXES.map((suffix) => `${name}-${suffix}`)
  // In a random order, with records of the broker and bodies of all sizes between them. One partition stays empty.
  for (let batch = 0; batch < 40; batch++) {
    const partition = partitions[random(4)] ?? ''
    const bodies = Array.from({ length: 1 + random(30) }, (_, index) => {
      const text = random(10) === 0 ? '\u0001'.repeat(random(3000)) : 'x'.repeat(random(200))
      return `${batch}-${index}-${text}`
    })
    await gateway.publish(partition, ...bodies)
    if (random(3) === 0) {
      const json = { offset: 0 }
      await gateway.request('PUT', `/v1/streams/${partition}/consumers/c${batch}/offset`, { json })
    }
  }
  const expected = new Map<string, PartitionMessage[]>()
  for (const partition of partitions) expected.set(partition, await ofPartition(gateway, partition))
  const total = [...expected.values()].reduce((sum, { length }) => sum + length, 0)
  const queries = [
    () => 'limit=10000&maxBytes=10000000',
    () => 'limit=7',
    () => `limit=${1 + random(3)}`,
    () => `limit=${1 + random(200)}&maxBytes=${1 + random(20_000)}`,
    () => 'maxBytes=1000', // the answer is cut off while it is encoded: control characters take six bytes
    () => 'maxBytes=1'
  ]
  for (const query of queries) {
    const { messages, pages } = await readToEnd(gateway, name, query)
    t.equal(messages.length, total, `${query()}, ${pages} pages`)
    for (const [partition, own] of expected) {
      t.same(messages.filter((message) => message.partition === partition), own, partition)
    }
  }
})

t.test('a partition that was added is read from its beginning, one that was removed is a gap', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a')
  await gateway.publish(`${name}-1`, 'b', 'c')
  const before = await gateway.get(pathOf(name))
  const added = `${name}-2`
  await manage('PUT', `queues/%2f/${added}`, { durable: true, arguments: { 'x-queue-type': 'stream' } })
  t.teardown(async () => { await manage('DELETE', `queues/%2f/${added}`) })
  await gateway.publish(added, 'new')
  await manage('POST', `bindings/%2f/e/${name}/q/${added}`, {
    routing_key: '2', arguments: { 'x-stream-partition-order': 2 }
  })
  await manage('DELETE', `queues/%2f/${name}-1`)
  const another = await startGateway(t)
  const after = await another.get(`${pathOf(name)}?cursor=${cursorOf(before)}`)
  t.match(after.json, {
    messages: exactly({ partition: added, offset: 0, body: 'new' }),
    gaps: exactly({ partition: `${name}-1`, from: 2, to: null }),
    unavailable: exactly()
  })
  t.equal(after.headers['stream-gaps'], `${name}-1=2-`)
  t.match((await another.get(`${pathOf(name)}?cursor=${cursorOf(after)}`)).json, {
    messages: exactly(), gaps: exactly(), endOfStream: true
  }, 'a gap is reported once')
})

t.test('a partition that was deleted and created anew is unavailable, and the others are read', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a', 'b', 'c')
  await gateway.publish(`${name}-1`, 'd')
  const { cursor } = await readToEnd(gateway, name, () => '')
  const partition = `${name}-0`
  await manage('DELETE', `queues/%2f/${partition}`)
  await manage('PUT', `queues/%2f/${partition}`, { durable: true, arguments: { 'x-queue-type': 'stream' } })
  await manage('POST', `bindings/%2f/e/${name}/q/${partition}`, {
    routing_key: '0', arguments: { 'x-stream-partition-order': 0 }
  })
  await gateway.publish(`${name}-1`, 'e')
  const another = await startGateway(t)
  const answer = await another.get(`${pathOf(name)}?cursor=${cursor}`)
  t.match(answer.json, {
    messages: exactly({ partition: `${name}-1`, offset: 1, body: 'e' }),
    endOfStream: false,
    unavailable: exactly({ partition, code: 'offset_out_of_range' })
  })
  t.equal(answer.headers['stream-unavailable'], `${partition}=offset_out_of_range`)
  t.equal(messagesOf(await another.get(pathOf(name))).length, 2, 'without a cursor it starts anew')
})

t.test('a partition that is deleted by hand is unavailable, then a gap, and the others are read', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a')
  await gateway.publish(`${name}-1`, 'b', 'c')
  let cursor = (await readToEnd(gateway, name, () => '')).cursor
  await manage('DELETE', `queues/%2f/${name}-1`)
  await gateway.publish(`${name}-0`, 'd')
  const seen: unknown[] = []
  const gaps: unknown[] = []
  await until('the gap is reported', async () => {
    const answer = await gateway.get(`${pathOf(name)}?cursor=${cursor}`)
    if (answer.status !== 200) throw new Error(answer.text)
    seen.push(...messagesOf(answer).map(({ body }) => body))
    for (const gap of list(record(answer.json)['gaps'])) gaps.push(gap)
    for (const one of list(record(answer.json)['unavailable'])) t.match(one, { partition: `${name}-1` })
    cursor = cursorOf(answer)
    return gaps.length > 0
  })
  t.same(seen, ['d'])
  t.same(gaps, [{ partition: `${name}-1`, from: 2, to: null }])
})
