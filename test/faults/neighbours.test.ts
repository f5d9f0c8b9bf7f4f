import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { startGateway, type Answer, type Gateway } from '../support/gateway.ts'
import { NeighbourLoad } from './neighbour-load.ts'

t.setTimeout(120_000)

const SECONDS = Number(process.env['FAULT_SECONDS'] ?? 5)
const NEIGHBOURS = 4

const gateway = await startGateway(t)
const other = await startGateway(t)

/** Deletes and creates a stream again and again. */
async function recreate (stream: string, by: Gateway, pauseMs: number, isOver: () => boolean): Promise<number> {
  for (let rounds = 0; ; rounds++) {
    if (isOver()) return rounds
    await by.request('DELETE', `/v1/streams/${stream}`)
    await by.request('PUT', `/v1/streams/${stream}`)
    await delay(pauseMs)
  }
}

// A consumer that has stored nothing yet has no offset to ask for.
function isFine ({ status, json }: Answer): boolean {
  return status < 400 || (status === 404 && JSON.stringify(json).includes('consumer_offset_not_found'))
}

// The stream is there or not, or the broker cannot say at the moment; offsets are those of an old or the new one.
function isExcusable ({ status, json }: Answer): boolean {
  if (status < 400 || [404, 409, 416, 422].includes(status)) return true
  const { retryable }: { retryable?: boolean } = JSON.parse(JSON.stringify(json))
  return (status === 503 || status === 504) && retryable === true
}

const disturbances = [
  ['ten times a second through the same gateway', gateway, 100],
  ['as quickly as it goes through the same gateway', gateway, 0],
  ['as quickly as it goes through another gateway', other, 0]
] as const

/** Runs the clients of the neighbours while something is done to another stream, and looks at what they were told. */
async function besides (t: Test, disturb: (isOver: () => boolean) => Promise<number>): Promise<void> {
  const neighbours: NeighbourLoad[] = []
  for (let index = 0; index < NEIGHBOURS; index++) {
    neighbours.push(new NeighbourLoad(gateway, await gateway.newStream(t), isFine))
  }
  const lostBefore = gateway.app.broker.stats().connectionsLost
  let isOver = false
  const running = Promise.all(neighbours.map(async (load) => { await load.run() }))
  const disturbing = disturb(() => isOver)
  await delay(SECONDS * 1000)
  isOver = true
  const rounds = await disturbing
  for (const load of neighbours) load.stop()
  await running
  const lost = gateway.app.broker.stats().connectionsLost - lostBefore
  const answers = neighbours.reduce((sum, { ledger }) => sum + ledger.answers, 0)
  t.comment(`${rounds} rounds, ${lost} connections lost, ${answers} answers to the neighbours`)
  t.ok(rounds > 2)
  for (const { ledger } of neighbours) {
    t.ok(ledger.answers > 50)
    t.same(ledger.wrong, [])
  }
}

for (const [how, by, pauseMs] of disturbances) {
  t.test(`while a stream is deleted and created anew ${how}, no other stream notices`, async (t) => {
    const victim = await gateway.newStream(t)
    const clients = new NeighbourLoad(gateway, victim, isExcusable)
    const running = clients.run()
    await besides(t, async (isOver) => await recreate(victim, by, pauseMs, isOver))
    clients.stop()
    await running
    t.ok(clients.ledger.answers > 50)
    t.same(clients.ledger.wrong, [])
  })
}

// Each of them meets the broker's fault for the first time, on connections that the others use too.
t.test('while one stream after the other comes and goes, no other stream notices', async (t) => {
  const wrong: unknown[] = []
  await besides(t, async (isOver) => {
    let rounds = 0
    const ask = async (): Promise<void> => {
      while (!isOver()) {
        const answer = await gateway.get(`/v1/streams/fleeting-${process.pid}-${rounds}/consumers/c/offset`)
        if (!isExcusable(answer)) wrong.push(answer.json)
      }
    }
    const asking = Promise.all([ask(), ask(), ask(), ask()])
    while (!isOver()) {
      const path = `/v1/streams/fleeting-${process.pid}-${rounds}`
      await other.request('PUT', path)
      await other.request('DELETE', path)
      rounds++
    }
    await asking
    return rounds
  })
  t.same(wrong, [])
})
