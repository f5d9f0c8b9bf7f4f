import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { SlotStreams } from '../../src/push/ownership/slot-streams.ts'
import { uniqueName } from '../support/broker.ts'
import { newStream, openBroker } from '../support/streams.ts'
import { bindPartition, manage, newSuperStream } from '../support/super-streams.ts'

const COUNT = 16
const NO_END = new AbortController().signal

interface Bench {
  readonly superStream: string
  readonly partitions: string[]
  /** What an instance takes for the slots. */
  readonly ensure: () => Promise<readonly string[]>
}

async function start (t: Test): Promise<Bench> {
  const superStream = uniqueName('slots')
  const partitions = Array.from({ length: COUNT }, (_, slot) => `${superStream}-${slot}`)
  const lockStream = await newStream(t, openBroker(t))
  t.teardown(async () => {
    await manage('DELETE', `exchanges/%2f/${superStream}`)
    for (const partition of partitions) await manage('DELETE', `queues/%2f/${partition}`)
  })
  return {
    superStream,
    partitions,
    ensure: async () => {
      const broker = openBroker(t)
      return await new SlotStreams({ broker, superStream, count: COUNT, lockStream }).ensure(NO_END)
    }
  }
}

t.test('instances that begin at the same moment have the same slots', async (t) => {
  for (let round = 0; round < 5; round++) {
    const { partitions, ensure } = await start(t)
    const found = await Promise.all(Array.from({ length: 20 }, async (_, index) => {
      await delay(index * 5)
      return await ensure()
    }))
    for (const slots of found) t.same(slots, partitions)
  }
})

t.test('an instance waits for the partitions that are still being bound', async (t) => {
  const { superStream, partitions, ensure } = await start(t)
  await newSuperStream(t, superStream, partitions.slice(0, 11))
  const found = ensure()
  for (const [order, partition] of partitions.entries()) {
    if (order < 11) continue
    await delay(400)
    await bindPartition(t, superStream, partition, order)
  }
  t.same(await found, partitions)
})

t.test('fewer partitions that an operator has created stay as they are', async (t) => {
  const { superStream, partitions, ensure } = await start(t)
  await newSuperStream(t, superStream, partitions.slice(0, 4))
  t.same(await ensure(), partitions.slice(0, 4))
})
