import t from 'tap'
import fc from 'fast-check'
import { MessageBatch } from '../../../src/streams/message-batch.ts'
import { indexIn, sharesOf, splitting } from '../../../src/streams/partitions/shares.ts'

const silent = { unrouted () {}, copied () {} }

const message = fc.record({
  body: fc.uint8Array({ maxLength: 50 }),
  key: fc.option(fc.constantFrom('a', 'b', 'c'), { nil: undefined }),
  filter: fc.option(fc.uint8Array({ minLength: 1, maxLength: 10 }), { nil: undefined })
})

t.test('every message reaches its partition with its bytes, its id, its filter value and its index', async () => {
  fc.assert(fc.property(fc.array(message, { minLength: 1 }), fc.boolean(), fc.nat(100), (messages, isNamed, first) => {
    const batch = new MessageBatch()
    for (const [at, { body, key, filter }] of messages.entries()) {
      batch.addData(body, isNamed ? at * 3 : undefined, undefined, filter)
      if (key !== undefined) batch.routeLast(key)
    }
    const shares = sharesOf({ batch, indexes: first }, 'common', (key = '') => [`s-${key}`], silent)
    const found = shares.flatMap(({ partition, batch, ...rest }) => Array.from({ length: batch.count }, (_, at) => ({
      partition,
      index: indexIn({ ...rest }, at),
      id: batch.publishingIds?.[at],
      version: batch.versionOf(at),
      bytes: batch.entries(at, at + 1).toString('hex')
    })))
    const wanted = messages.map(({ key = 'common' }, at) => ({
      partition: `s-${key}`,
      index: first + at,
      id: isNamed ? at * 3 : undefined,
      version: batch.versionOf(at),
      bytes: batch.entries(at, at + 1).toString('hex')
    }))
    const inOrder = found.toSorted((a, b) => a.index - b.index)
    return JSON.stringify(inOrder) === JSON.stringify(wanted) && shares.every(({ batch, indexes }) =>
      typeof indexes === 'number' ||
      (indexes.length === batch.count && indexes.every((index, at) => at === 0 || index > (indexes[at - 1] ?? 0)))
    )
  }))
})

t.test('a batch that goes to one partition is not copied, and one to two partitions is copied for each', async (t) => {
  const batch = new MessageBatch()
  batch.addData(Buffer.from('x'))
  const [share] = sharesOf({ batch, indexes: 0 }, 'a', () => ['s-0'], silent)
  t.equal(share?.batch, batch)
  const copied: number[] = []
  const shares = sharesOf({ batch, indexes: 4 }, 'a', () => ['s-0', 's-1'], {
    unrouted () {}, copied (index) { copied.push(index) }
  })
  t.not(shares[0]?.batch, batch)
  t.same(shares[0]?.batch.entries(0, 1), batch.entries(0, 1))
  t.not(shares[1]?.batch, batch)
  t.same(shares[1]?.batch.entries(0, 1), batch.entries(0, 1))
  t.same(copied, [4])
})

t.test('a large batch is split in many steps, which say what the copies take before they are made', async (t) => {
  const batch = new MessageBatch()
  for (let at = 0; at < 4000; at++) {
    batch.addData(Buffer.alloc(1000))
    batch.routeLast(String(at % 7))
  }
  const partitions = ['s-0', 's-1', 's-2']
  const steps = splitting({ batch, indexes: 0 }, undefined, () => partitions, silent)
  const told: number[] = []
  let count = 0
  let step = steps.next()
  for (; step.done !== true; step = steps.next()) {
    count++
    if (step.value !== undefined) told.push(step.value)
  }
  t.ok(count > 3 * batch.byteLength / 1_000_000, `${count} steps for ${batch.byteLength} bytes to three partitions`)
  t.same(told, [step.value.reduce((sum, share) => sum + share.batch.heldBytes, 0)])
  t.same(step.value.map(({ partition }) => partition), partitions)
  for (const share of step.value) t.same(share.batch.entries(0, 4000), batch.entries(0, 4000))
})
