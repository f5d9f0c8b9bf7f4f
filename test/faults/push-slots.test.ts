import t from 'tap'
import { startPrivateBroker } from '../support/broker.ts'
import { Instance, SharedSlotLog, SLOTS } from '../push/instance.ts'
import { newStream, openBroker } from '../support/streams.ts'
import { until } from '../support/until.ts'

t.setTimeout(120_000)

const { node } = await startPrivateBroker(t)
const address = { host: '127.0.0.1', port: node.streamPort }
const PREFIX = 'push'
const SLOT = 3
const BEAT_MS = 150
// Each slot is said by its owner at every second beat: these are 20 beats.
const RECORDS = 10 * SLOTS
const NO_OWNER = 'a slot of push subscriptions has no owner: its subscriptions deliver nothing'

class CountingLog extends SharedSlotLog {
  written = 0

  override publishSlot (record: Parameters<SharedSlotLog['publishSlot']>[0]): void {
    this.written++
    super.publishSlot(record)
  }
}

/** Makes a member of the group of the slot that answers nothing: a process in the broker itself, under a name. */
async function silentMember (): Promise<void> {
  await node.ctl('eval', `
    Pid = spawn(fun() -> receive stop -> ok end end),
    true = register(silent_member, Pid),
    {ok, false} = rabbit_stream_sac_coordinator:register_consumer(
      <<"/">>, <<"${PREFIX}.slots-${SLOT}">>, ${SLOT}, <<"push">>, Pid, <<"silent">>, 1).`)
}

async function endSilentMember (): Promise<void> {
  await node.ctl('eval', 'exit(whereis(silent_member), kill).')
}

// Up to RabbitMQ 4.2.3 the group waits for ever for the answer of the member that is gone.
t.test('a slot that RabbitMQ gives to no instance gets an owner again, and keeps it', async (t) => {
  const log = new CountingLog()
  const lockStream = await newStream(t, openBroker(t, { hosts: [address], management: undefined }))
  const start = async (name: string): Promise<Instance> =>
    await Instance.start(t, name, { prefix: PREFIX, lockStream, log, beatMs: BEAT_MS, address })
  const a = await start('a')
  await a.owns(SLOTS)
  // With two members the second one is the active one of this slot, with three the first one is.
  await silentMember()
  await a.owns(SLOTS - 1)
  const b = await start('b')
  const owners = (): number => [a, b].filter(({ owned }) => owned.includes(SLOT)).length
  await until('the others are spread', () => a.seats.size + b.seats.size === SLOTS - 1 && b.seats.size > 0)
  await endSilentMember()
  const beganMs = performance.now()
  await until('the slot has an owner', () => owners() === 1)
  const isBlocked = [a, b].some(({ warnings }) => warnings.includes(NO_OWNER))
  t.comment(`${Math.round(performance.now() - beganMs)} ms, ${isBlocked ? 'blocked' : 'not blocked'}`)
  await until('all slots are spread', () => a.seats.size + b.seats.size === SLOTS)
  const figures = (): number[] => [a, b].map(({ figures }) => figures.unownedSlots)
  await until('no slot is counted as one without an owner', () => figures().every((count) => count === 0))
  // The members that join again may move a slot once more.
  await until('no slot moves for many beats', async () => {
    const before = [a, b].map(({ events }) => events.length)
    const end = log.written + RECORDS
    await until('some beats have passed', () => log.written >= end)
    return [a, b].every(({ events }, index) => events.length === before[index])
  })
  t.equal(owners(), 1)
  t.same(figures(), [0, 0])
})
