import t, { type Test } from 'tap'
import type { MembershipHandlers } from '../../../src/streams/connections/membership.ts'
import { ActiveConsumer, type ActiveConsumerOptions } from '../../../src/streams/consuming/active-consumer.ts'
import { StreamsError } from '../../../src/streams/errors.ts'
import { exactly } from '../../support/exactly.ts'
import { until } from '../../support/until.ts'

// A broker that asks at moments that a real one cannot be brought to. It keeps a log of what happens.
interface Scene {
  readonly log: string[]
  readonly member: ActiveConsumer
  /** The broker asks. */
  ask (isActive: boolean, id: number): void
  lose (): void
  /** Lets `deactivated` settle. */
  settle (): void
}

async function open (t: Test, some: Partial<ActiveConsumerOptions> = {}, isListening = true): Promise<Scene> {
  const log: string[] = []
  const joined: MembershipHandlers[] = []
  const settling: Array<() => void> = []
  const member = await ActiveConsumer.join({
    join: async (handlers) => {
      joined.push(handlers)
      log.push('joined')
      return { leave () { log.push('left') }, seat () { throw new Error('not asked for here') } }
    },
    start: async () => 7,
    place: async () => 7,
    reconnectDelayMs: 1,
    maxReconnectDelayMs: 2,
    onEnd () {},
    ...some
  })
  t.teardown(() => { member.end() })
  const handlers = {
    activated (offset: number) { log.push(`activated at ${offset}`) },
    async deactivated (why: string) {
      log.push(why)
      await new Promise<void>((resolve) => { settling.push(resolve) })
      log.push('settled')
    },
    failed (error: StreamsError) { log.push(error.code) }
  }
  if (isListening) member.listen(handlers)
  return {
    log,
    member,
    ask: (isActive, id) => {
      let isAnswered = false
      joined.at(-1)?.updated(isActive, (offset) => {
        if (!isAnswered) log.push(offset === undefined ? `answer ${id}` : `answer ${id}: ${offset}`)
        isAnswered = true
      })
    },
    lose: () => { joined.at(-1)?.lost(new StreamsError('broker_unavailable', 'lost')) },
    settle: () => { for (const resolve of settling.splice(0)) resolve() }
  }
}

async function logged (log: readonly string[], last: string): Promise<void> {
  await until(`${last} in ${log.join(', ')}`, () => log.includes(last), 2000)
}

t.test('the broker is answered before anything is delivered, and after what was delivered has settled', async (t) => {
  const { log, member, ask, settle } = await open(t)
  ask(true, 1)
  await logged(log, 'activated at 7')
  t.equal(member.isActive, true)
  ask(false, 2)
  await logged(log, 'asked')
  t.equal(member.isActive, false)
  await new Promise(setImmediate)
  settle()
  await logged(log, 'answer 2')
  t.match(log, exactly('joined', 'answer 1: 7', 'activated at 7', 'asked', 'settled', 'answer 2'))
})

t.test('updates in a row are answered in their order', async (t) => {
  const { log, member, ask, settle } = await open(t)
  ask(true, 1)
  await logged(log, 'activated at 7')
  ask(false, 2)
  ask(true, 3)
  await logged(log, 'asked')
  settle()
  await logged(log, 'answer 3: 7')
  t.match(log.slice(3), exactly('asked', 'settled', 'answer 2', 'answer 3: 7', 'activated at 7'))
  ask(true, 4)
  ask(true, 5)
  await logged(log, 'answer 5: 7')
  t.match(log.slice(8), exactly('answer 4: 7', 'answer 5: 7'), 'it is active already')
  ask(false, 6)
  ask(false, 7)
  await until('it is asked to stop', () => log.length === 11)
  settle()
  await logged(log, 'answer 7')
  t.match(log.slice(10), exactly('asked', 'settled', 'answer 6', 'answer 7'))
  t.equal(member.isActive, false)
})

t.test('an update that came before `listen` waits for it', async (t) => {
  const { log, member, ask } = await open(t, {}, false)
  ask(true, 1)
  await new Promise(setImmediate)
  t.match(log, exactly('joined'))
  member.listen({ activated: () => { log.push('activated') }, deactivated: async () => {}, failed () {} })
  await logged(log, 'activated')
})

t.test('a member that ends answers first, and nothing happens afterwards', async (t) => {
  let found: (offset: number) => void = () => {}
  const start = async (): Promise<number> => await new Promise((resolve) => { found = resolve })
  for (const isListening of [true, false]) {
    const { log, member, ask } = await open(t, { start }, isListening)
    ask(true, 1)
    await new Promise(setImmediate)
    member.end()
    member.end()
    found(3)
    ask(true, 2)
    await logged(log, 'answer 2')
    t.match(log, exactly('joined', 'answer 1', 'left', 'answer 2'))
  }
})

t.test('a member that is lost stops at once, and joins again when what was delivered has settled', async (t) => {
  const { log, member, ask, lose, settle } = await open(t)
  ask(true, 1)
  await logged(log, 'activated at 7')
  lose()
  t.equal(member.isActive, false)
  t.equal(log.at(-1), 'lost')
  settle()
  await until('it has joined again', () => log.filter((entry) => entry === 'joined').length === 2)
  ask(true, 2)
  await logged(log, 'answer 2: 7')
  t.match(log, exactly('joined', 'answer 1: 7', 'activated at 7', 'lost', 'settled', 'joined', 'answer 2: 7',
    'activated at 7'))
})

t.test('a member that is lost while it looks where to start does not become active', async (t) => {
  let asked = 0
  const start = async (): Promise<number> => await (++asked === 1 ? new Promise<number>(() => {}) : Promise.resolve(9))
  const { log, ask, lose } = await open(t, { start })
  ask(true, 1)
  await until('it looks', () => asked === 1)
  lose()
  await until('it has joined again', () => log.filter((entry) => entry === 'joined').length === 2)
  ask(true, 2)
  await logged(log, 'activated at 9')
  t.match(log, exactly('joined', 'answer 1', 'joined', 'answer 2: 9', 'activated at 9'))
})

t.test('where to start is asked again while the broker cannot tell', async (t) => {
  let attempts = 0
  const { log, ask } = await open(t, {
    async start () {
      if (++attempts < 3) throw new StreamsError('stream_not_available', 'no leader')
      return 4
    }
  })
  ask(true, 1)
  await logged(log, 'activated at 4')
  t.equal(attempts, 3)
})

t.test('a member that may not know where to start, or may not join again, fails', async (t) => {
  const refused = async (): Promise<never> => { throw new StreamsError('access_refused', 'no') }
  const first = await open(t, { start: refused })
  first.ask(true, 1)
  await logged(first.log, 'access_refused')
  t.match(first.log, exactly('joined', 'answer 1', 'left', 'access_refused'))

  for (const code of ['access_refused', 'stream_not_found', 'draining'] as const) {
    let joins = 0
    const again = await open(t, {
      async join (handlers) {
        if (++joins > 1) throw new StreamsError(code, 'no')
        setImmediate(() => { handlers.lost(new StreamsError('broker_unavailable', 'lost')) })
        return { leave () {}, seat () { throw new Error('not asked for here') } }
      }
    })
    await logged(again.log, code)
    t.equal(joins, 2)
  }
})
