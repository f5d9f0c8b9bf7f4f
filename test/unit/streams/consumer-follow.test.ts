import t from 'tap'
import { ConsumerFollow, type ConsumerFollowOptions } from '../../../src/streams/consuming/consumer-follow.ts'

t.test('while the broker does not answer, what is to be stored does not pile up', async (t) => {
  const storing: number[] = []
  let answer: () => void = () => {}
  const answered = new Promise<void>((resolve) => { answer = resolve })
  const offsets: ConsumerFollowOptions['offsets'] = {
    async find () { return undefined },
    async store (_stream, _consumer, offset) {
      storing.push(offset)
      await answered
      return { storedOffset: BigInt(offset), nextOffset: BigInt(offset + 1) }
    },
    nextOffsetOf: (_stream, _consumer, stored) => stored + 1n,
    onReset: () => () => {}
  }
  const follow = new ConsumerFollow({
    stream: 's', consumer: 'c', offsets, stored: undefined, autoCommit: true, committed: () => {}, moved: () => {}
  })
  const startMs = performance.now()
  for (let tick = 1; tick <= 100; tick++) follow.tick(startMs + tick * 10_000, tick)
  const ended = follow.end(101)
  answer()
  await ended
  t.same(storing, [0, 100], 'the first, and the last word')
})
