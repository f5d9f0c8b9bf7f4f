import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway, type Answer } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'
import { cursorOf, messagesOf, superStreamOf } from '../support/super-stream-requests.ts'

const gateway = await startGateway(t)
const pathOf = (superStream: string, consumer = 'c') => `/v1/super-streams/${superStream}/consumers/${consumer}`
const offsetsOf = async (name: string, consumer?: string) => await gateway.get(`${pathOf(name, consumer)}/offset`)
const read = async (name: string, query = '') => await gateway.get(`${pathOf(name)}/messages?${query}`)
const bodiesOf = (answer: Answer) => messagesOf(answer).map(({ body }) => body).sort()
const store = async (name: string, json: object) => await gateway.request('PUT', `${pathOf(name)}/offset`, { json })
const reset = async (name: string, json: object) =>
  await gateway.request('POST', `${pathOf(name)}/offset/reset`, { json })

t.test('a consumer has an offset in each partition, and a lag in all', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  await gateway.publish(`${name}-0`, 'a', 'b', 'c')
  await gateway.publish(`${name}-1`, 'd', 'e')
  const nothing = { storedOffset: null, nextOffset: null, state: 'nothing_stored' }
  t.match((await offsetsOf(name)).json, {
    partitions: exactly(
      { partition: `${name}-0`, ...nothing, firstOffset: 0, lastOffset: 2, lag: 3 },
      { partition: `${name}-1`, ...nothing, lastOffset: 1, lag: 2 },
      { partition: `${name}-2`, ...nothing, lastOffset: null, lag: 0 }
    ),
    lag: 5
  })
  t.match(await store(name, { offsets: { [`${name}-0`]: 1 } }), {
    status: 200, json: { partitions: exactly({ partition: `${name}-0`, storedOffset: 1, nextOffset: 2 }) }
  })
  t.match((await offsetsOf(name)).json, {
    partitions: exactly(
      { partition: `${name}-0`, storedOffset: 1, nextOffset: 2, state: 'ok', lag: 1 }, nothing, nothing
    ),
    lag: 3
  })
  t.match((await gateway.get(`/v1/streams/${name}-0/consumers/c/offset`)).json, { storedOffset: 1 },
    'it is the offset of the stream that the partition is')
})

t.test('a commit is checked in all partitions before anything is stored', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const [one, two] = [`${name}-0`, `${name}-1`]
  for (const partition of [one, two]) await gateway.publish(partition, 1, 2, 3)
  const first = { offsets: { [one]: 1, [two]: 2 }, expected: { [one]: null, [two]: null } }
  t.match(await store(name, first), { status: 200 })
  const cases = [
    [{ offsets: { [one]: 2, [two]: 1 } }, { status: 409, code: 'offset_goes_back', partition: two, storedOffset: 2 }],
    [{ offsets: { [one]: 2, [two]: 9 } }, { status: 422, code: 'offset_beyond_end', partition: two }],
    [
      { offsets: { [one]: 2, [two]: 2 }, expected: { [one]: 0 } },
      { status: 412, code: 'expectation_failed', partition: one, storedOffset: 1 }
    ],
    [{ offsets: { [one]: 2, [`${name}-7`]: 0 } }, { status: 404, code: 'stream_not_found' }],
    [{ offsets: { [one]: 2 }, expected: { [two]: 2 } }, { status: 400 }],
    [{ offsets: {} }, { status: 400 }],
    [{ offsets: { [one]: -1 } }, { status: 400 }],
    [{}, { status: 400 }]
  ] as const
  for (const [json, expected] of cases) t.match((await store(name, json)).json, expected, JSON.stringify(json))
  t.match((await offsetsOf(name)).json, { partitions: exactly({ storedOffset: 1 }, { storedOffset: 2 }) })
  t.match(await store(name, { offsets: { [one]: 1, [two]: 2 } }), { status: 200 }, 'what is stored may be stored again')
})

t.test('a consumer is reset in all partitions, or in those that are named', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  const [one, two] = [`${name}-0`, `${name}-1`]
  await gateway.publish(one, 'a', 'b')
  await gateway.publish(two, 'c', 'd', 'e')
  t.match(await reset(name, { to: 'next' }), { status: 200 })
  t.same(bodiesOf(await read(name)), [])
  t.match(await reset(name, { partitions: { [two]: { offset: 2 } } }), {
    status: 200, json: { partitions: exactly({ partition: two, nextOffset: 2 }) }
  })
  t.same(bodiesOf(await read(name)), ['e'])
  await reset(name, { to: { timestamp: '2020-01-01T00:00:00Z' } })
  t.same(bodiesOf(await read(name)), ['a', 'b', 'c', 'd', 'e'])
  t.match((await reset(name, { partitions: { [one]: 'first', [two]: { offset: 100 } } })).json, {
    status: 422, code: 'offset_beyond_end', partition: two
  })
  t.match((await reset(name, { partitions: { [one]: 5 } })).json, {
    status: 400, errors: exactly({ pointer: `/partitions/${one}`, message: /an offset is written as/ })
  })
  t.match((await reset(name, { to: 5 })).json, { status: 400, errors: exactly({ pointer: '/to' }) })
  t.match((await reset(name, {})).json, { status: 400 })
  t.match((await reset(name, { to: 'first', partitions: { [one]: 'first' } })).json, { status: 400 })
})

t.test('a consumer reads on where it has committed, in every partition', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  await gateway.publish(`${name}-0`, 'a', 'b')
  await gateway.publish(`${name}-1`, 'c')
  const first = await read(name)
  t.same(bodiesOf(first), ['a', 'b', 'c'])
  t.same(bodiesOf(await read(name)), ['a', 'b', 'c'], 'nothing is committed yet')
  t.same(bodiesOf(await read(name, `commit=${cursorOf(first)}`)), [])
  t.match((await offsetsOf(name)).json, {
    partitions: exactly({ storedOffset: 1 }, { state: 'ok' }, { storedOffset: null }), lag: 0
  })
  await gateway.publish(`${name}-0`, 'd')
  await gateway.publish(`${name}-2`, 'e')
  const second = await read(name)
  t.same(bodiesOf(second), ['d', 'e'])
  await read(name, `commit=${cursorOf(second)}`)
  t.match((await read(name, `commit=${cursorOf(first)}`)).json, {
    status: 409, code: 'offset_goes_back', partition: `${name}-0`, storedOffset: Number, sideEffects: 'none'
  }, 'a commit never goes back')
  t.match((await read(name, 'commit=abc')).json, { status: 400, code: 'cursor_invalid' })
})

t.test('where a new consumer begins is fixed by its first read', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a')
  await gateway.publish(`${name}-1`, 'b')
  t.same(bodiesOf(await read(name, 'from=next')), [])
  await gateway.publish(`${name}-0`, 'c')
  await gateway.publish(`${name}-1`, 'd')
  t.same(bodiesOf(await read(name, 'from=next')), ['c', 'd'])
})

t.test('autoCommit gives every message to one of several readers, and none twice', async (t) => {
  const name = await superStreamOf(t, '0', '1', '2')
  for (let batch = 0; batch < 30; batch++) {
    await gateway.publish(`${name}-${batch % 3}`, ...Array.from({ length: 5 }, (_, index) => `${batch}-${index}`))
  }
  const seen: unknown[] = []
  const reader = async (): Promise<void> => {
    for (let round = 0; round < 100; round++) {
      const answer = await read(name, `autoCommit=true&limit=${1 + round % 9}`)
      if (answer.status !== 200) throw new Error(answer.text)
      const bodies = bodiesOf(answer)
      if (bodies.length === 0) return
      seen.push(...bodies)
    }
  }
  await Promise.all([reader(), reader(), reader()])
  t.equal(seen.length, 150)
  t.equal(new Set(seen).size, 150)
  t.match((await offsetsOf(name)).json, { lag: 0 })
})

t.test('a read that is held answers from where its consumer is by then', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a', 'b', 'c')
  await reset(name, { to: 'next' })
  const held = read(name, 'wait=30')
  await gateway.get('/health/live')
  await reset(name, { partitions: { [`${name}-0`]: { offset: 2 } } })
  t.same(bodiesOf(await held), ['c'])
  await reset(name, { to: 'next' })
  const other = read(name, 'wait=30&autoCommit=true')
  await gateway.publish(`${name}-1`, 'd')
  t.same(bodiesOf(await other), ['d'])
  t.match((await offsetsOf(name)).json, { lag: 0 })
})

t.test('a commit in 64 partitions with one refused stores nothing, and without it all', async (t) => {
  const name = await superStreamOf(t, ...Array.from({ length: 64 }, (_, index) => String(index)))
  const partitions = Array.from({ length: 64 }, (_, index) => `${name}-${index}`)
  for (const partition of partitions) await gateway.publish(partition, 'a', 'b')
  const offsets = Object.fromEntries(partitions.map((partition) => [partition, 1]))
  const refused = await store(name, { offsets: { ...offsets, [`${name}-40`]: 5000 } })
  t.match(refused.json, { status: 422, partition: `${name}-40`, sideEffects: 'none' })
  t.match((await offsetsOf(name)).json, { lag: 128 })
  const answer = await read(name, 'limit=1000')
  t.equal(messagesOf(answer).length, 128)
  t.ok(cursorOf(answer).length < 600, 'the cursor fits a header')
  await read(name, `commit=${cursorOf(answer)}`)
  t.match((await offsetsOf(name)).json, { lag: 0 })
  t.match(await store(name, { offsets }), { status: 200 }, 'all of them again')
})

t.test('workers that share the partitions commit each for its own', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  for (const index of [0, 1]) await gateway.publish(`${name}-${index}`, 'a', 'b', 'c')
  const firstOf = async (index: number) => await read(name, `partitions=${name}-${index}&limit=2`)
  const answers = await Promise.all([0, 1].map(firstOf))
  for (const [index, answer] of answers.entries()) {
    const next = await read(name, `partitions=${name}-${index}&commit=${cursorOf(answer)}`)
    t.same(bodiesOf(next), ['c'])
  }
  const whole = await gateway.get(`/v1/super-streams/${name}/messages`)
  const one = await read(name, `partitions=${name}-0&commit=${cursorOf(whole)}`)
  t.same(bodiesOf(one), [])
  t.match((await offsetsOf(name)).json, {
    partitions: exactly({ nextOffset: 3 }, { nextOffset: 2 })
  }, 'a commit is for the partitions that are read')
})

t.test('the consumers of a super stream are those of its partitions', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a', 'b')
  await gateway.request('PUT', `${pathOf(name, 'mine')}/offset`, { json: { offsets: { [`${name}-0`]: 1 } } })
  await gateway.request('PUT', `/v1/streams/${name}-1/consumers/other/offset`, { json: { offset: 0 } })
  await gateway.publish(`${name}-1`, 'c')
  await gateway.request('PUT', `/v1/streams/${name}-1/consumers/other/offset`, { json: { offset: 0 } })
  const { json } = await gateway.get(`/v1/super-streams/${name}/consumers`)
  t.match(json, { sources: { instance: 'ok' } })
  const consumers = list(record(json)['consumers']).map((consumer) => record(consumer))
  t.match(consumers, exactly(
    { name: 'mine', lag: 0, partitions: exactly({ partition: `${name}-0`, storedOffset: 1, nextOffset: 2 }) },
    { name: 'other', partitions: exactly({ partition: `${name}-1` }) }
  ))
})

t.test('a commit of other partitions than those that are read is refused', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a', 'b')
  const cursor = cursorOf(await read(name, `partitions=${name}-0`))
  t.match((await read(name, `partitions=${name}-1&commit=${cursor}`)).json, { status: 400, code: 'cursor_invalid' })
  t.match((await offsetsOf(name)).json, { partitions: exactly({ storedOffset: null }, { storedOffset: null }) })
  t.equal((await read(name, `partitions=${name}-0,${name}-1&commit=${cursor}`)).status, 200)
  t.match((await offsetsOf(name)).json, { partitions: exactly({ storedOffset: 1 }, { storedOffset: null }) })
})

t.test('a list has no lag in all where it is not known in each', async (t) => {
  const name = await superStreamOf(t, '0', '1')
  await gateway.publish(`${name}-0`, 'a')
  await gateway.publish(`${name}-1`, 'b')
  await read(name)
  await gateway.request('PUT', `/v1/streams/${name}-0/consumers/c/offset`, { json: { offset: 0 } })
  const { json } = await gateway.get(`/v1/super-streams/${name}/consumers`)
  t.match(record(json)['consumers'], exactly({
    name: 'c', lag: null, partitions: exactly({ lag: 0 }, { state: 'nothing_stored', lag: null })
  }))
})
