import t from 'tap'
import type { ActiveConsumerHandlers } from '../../../src/streams/consuming/active-consumer.ts'
import { ActiveFollow, type ActiveFollowOptions } from '../../../src/streams/consuming/active-follow.ts'
import type { LiveSource } from '../../../src/streams/reading/live-source.ts'
import { until } from '../../support/until.ts'

const TAKEN = 5

// A broker that takes the membership away and stores offsets all the same. It returns what was stored in the end.
async function storedAfter (why: 'asked' | 'lost'): Promise<number[]> {
  const stored: number[] = []
  let handlers: ActiveConsumerHandlers | undefined
  let isActive = false
  const source: LiveSource = {
    stream: 's',
    position: TAKEN,
    isAtEnd: true,
    take: () => undefined,
    part () { throw new Error('there is nothing') },
    advance () {},
    look () {},
    rest () {},
    seek () {},
    state: async () => ({ nextOffset: TAKEN, lastOffset: TAKEN - 1, lag: 0, endOfStream: true }),
    close () {}
  }
  const offsets: ActiveFollowOptions['offsets'] = {
    async find () { return undefined },
    async store (_stream, _consumer, offset) {
      stored.push(offset)
      return { storedOffset: BigInt(offset), nextOffset: BigInt(offset + 1) }
    },
    nextOffsetOf: (_stream, _consumer, offset) => offset + 1n,
    onReset: () => () => {}
  }
  const follow = new ActiveFollow({
    stream: 's',
    consumer: 'c',
    position: 0,
    member: { listen (told) { handlers = told }, place: async () => TAKEN, end () {} },
    follows: { open: async () => source },
    offsets,
    autoCommit: true,
    filter: undefined,
    committed () {},
    listener: {
      news () {},
      behind () {},
      failed () {},
      activated () { isActive = true },
      deactivated: () => TAKEN,
      moved () {}
    }
  })
  follow.begin()
  handlers?.activated(0)
  await until('it is active', () => isActive)
  await handlers?.deactivated(why)
  await follow.end(TAKEN)
  follow.close()
  return stored
}

t.test('a member that is asked to stop stores what its client has taken', async (t) => {
  t.same(await storedAfter('asked'), [TAKEN - 1])
})

t.test('a member that has lost its membership stores nothing: another one may be active already', async (t) => {
  t.same(await storedAfter('lost'), [])
})
