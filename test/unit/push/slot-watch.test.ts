import t, { type Test } from 'tap'
import { SlotWatch } from '../../../src/push/ownership/slot-watch.ts'
import { PushFigures } from '../../../src/push/figures.ts'
import { SharedSlotLog } from '../../push/instance.ts'
import { exactly } from '../../support/exactly.ts'
import { until } from '../../support/until.ts'

const BEAT_MS = 5
const SLOTS = 4
const BLOCKED = 3

/** What all watches of a test read and write; each record has its own time, however short the beats are. */
class Log extends SharedSlotLog {
  /** Records that instances wrote, also those that were lost. */
  written = 0

  override publishSlot (record: Parameters<SharedSlotLog['publishSlot']>[0]): void {
    super.publishSlot({ ...record, at: ++this.written })
  }
}

/** The groups of the slots as a broker has them that, before RabbitMQ 4.2.4, has lost count of one. */
class Groups {
  readonly #members: ReadonlyArray<Set<string>> = Array.from({ length: SLOTS }, () => new Set())
  readonly #owners: Array<string | undefined> = []
  readonly #blocked = new Set<number>()
  /** Called before a member leaves a group. */
  leaving = (): void => {}

  join (slot: number, name: string): void {
    this.#members[slot]?.add(name)
    if (!this.#blocked.has(slot)) this.#owners[slot] ??= name
  }

  leave (slot: number, name: string): void {
    this.leaving()
    const members = this.#members[slot]
    members?.delete(name)
    if (this.#owners[slot] === name) this.#owners[slot] = this.#blocked.has(slot) ? undefined : [...members ?? []][0]
    if (members?.size === 0) this.#blocked.delete(slot)
  }

  /** The active one is gone, and the broker waits for its answer. */
  block (slot: number): void {
    this.#blocked.add(slot)
    this.#owners[slot] = undefined
  }

  ownerOf (slot: number): string | undefined {
    return this.#owners[slot]
  }
}

interface Member {
  readonly watch: SlotWatch
  readonly figures: PushFigures
  readonly warned: number[]
  /** Slots whose groups it has left, each time. */
  readonly left: number[]
}

function member (t: Test, name: string, log: Log, groups: Groups): Member {
  const [figures, warned, left] = [new PushFigures(), new Array<number>(), new Array<number>()]
  const away = new Set<NodeJS.Timeout>()
  for (let slot = 0; slot < SLOTS; slot++) groups.join(slot, name)
  const watch = new SlotWatch({
    log,
    instance: name,
    slotCount: SLOTS,
    isOwner: (slot) => groups.ownerOf(slot) === name,
    rejoin: (slot, awayMs) => {
      left.push(slot)
      groups.leave(slot, name)
      away.add(setTimeout(() => { groups.join(slot, name) }, awayMs))
    },
    figures,
    logger: {
      debug () {},
      info () {},
      error () {},
      warn: ({ slot }: { slot: number }) => { warned.push(slot) }
    },
    beatMs: BEAT_MS
  })
  t.teardown(() => {
    watch.stop()
    for (const timer of away) clearTimeout(timer)
  })
  return { watch, figures, warned, left }
}

/** Waits for as many beats of every instance, of which each says something at every second one. */
async function beats (log: Log, count: number, instances: number): Promise<void> {
  const end = log.written + count * (SLOTS + instances)
  await until(`${count} beats`, () => log.written >= end)
}

t.test('a slot whose owner says so is not called silent, by however many', async (t) => {
  const [log, groups] = [new Log(), new Groups()]
  const all = ['a', 'b', 'c'].map((name) => member(t, name, log, groups))
  await beats(log, 60, 3)
  for (const { watch, figures, warned, left } of all) {
    t.same([warned, left, figures.unownedSlots], [[], [], 0])
    for (let slot = 0; slot < SLOTS; slot++) t.equal(watch.isSilent(slot), false)
  }
})

t.test('a slot without an owner is warned of once, all instances leave its group once, and it heals', async (t) => {
  const [log, groups] = [new Log(), new Groups()]
  const all = ['a', 'b', 'c'].map((name) => member(t, name, log, groups))
  groups.block(BLOCKED)
  await until('all warn', () => all.every(({ warned }) => warned.length > 0))
  for (const { watch, figures } of all) {
    t.equal(watch.isSilent(BLOCKED), true)
    t.equal(figures.unownedSlots, 1)
  }
  t.same(all.map(({ left }) => left), [[], [], []], 'it waits before it leaves')
  await until('it has an owner', () => groups.ownerOf(BLOCKED) !== undefined)
  t.ok(all.every(({ left }) => left.length === 1), 'all were away at the same time')
  await beats(log, 60, 3)
  for (const { watch, figures, warned, left } of all) {
    t.same([warned, left, figures.unownedSlots], [[BLOCKED], [BLOCKED], 0], 'and that was that')
    t.equal(watch.isSilent(BLOCKED), false)
  }
})

t.test('an instance that came late, and was not silent for long, does not keep the group from healing', async (t) => {
  const [log, groups] = [new Log(), new Groups()]
  const early = ['a', 'b'].map((name) => member(t, name, log, groups))
  groups.block(BLOCKED)
  const late = await new Promise<Member>((resolve) => {
    groups.leaving = () => {
      groups.leaving = () => {}
      resolve(member(t, 'late', log, groups))
    }
  })
  t.equal(groups.ownerOf(BLOCKED), undefined, 'it is a member when the others are called, and stays')
  await until('it has an owner', () => groups.ownerOf(BLOCKED) !== undefined)
  t.same(late.left, [BLOCKED], 'it has left with the others when they called again')
  t.ok(early.every(({ left }) => left.length === 2))
  const before = [...early, late].map(({ left }) => left.length)
  await beats(log, 60, 3)
  t.same([...early, late].map(({ left }) => left.length), before)
})

t.test('while the log is quiet nothing is said of any slot, and afterwards it is', async (t) => {
  const [log, groups] = [new Log(), new Groups()]
  const { figures, warned, left } = member(t, 'a', log, groups)
  log.isSilent = true
  groups.block(BLOCKED)
  await beats(log, 80, 1)
  t.same([warned, left, figures.unownedSlots], [[], [], 0])
  log.isSilent = false
  await until('it warns', () => warned.length > 0)
  t.match(warned, exactly(BLOCKED))
})

t.test('an instance without a slot notices the loss of all slots of the one that had them', async (t) => {
  const [log, groups] = [new Log(), new Groups()]
  const owner = member(t, 'owner', log, groups)
  const { figures, warned } = member(t, 'other', log, groups)
  await beats(log, 10, 2)
  t.same(warned, [])
  owner.watch.stop()
  await until('it warns of all', () => warned.length === SLOTS)
  t.equal(figures.unownedSlots, SLOTS)
})

t.test('what was silent is no longer when the watch ends', async (t) => {
  const [log, groups] = [new Log(), new Groups()]
  groups.block(BLOCKED)
  const { watch, figures, warned } = member(t, 'a', log, groups)
  await until('it warns', () => warned.length > 0)
  t.equal(figures.unownedSlots, 1)
  watch.stop()
  t.equal(figures.unownedSlots, 0)
})
