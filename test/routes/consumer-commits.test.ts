import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { startGateway } from '../support/gateway.ts'

const gateway = await startGateway(t)
const stream = await gateway.newStream(t)
await gateway.request('POST', `/v1/streams/${stream}/messages/lines`, { body: 'a\n'.repeat(200) })

const ROUNDS = 40

function consumer (name: string): string {
  return `/v1/streams/${stream}/consumers/${name}`
}

async function storedBy (name: string): Promise<number> {
  const { storedOffset }: { storedOffset: number } = JSON.parse((await gateway.get(`${consumer(name)}/offset`)).text)
  return storedOffset
}

t.test('a commit and a read that stores its offset do not cross: the higher offset stays', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const name = `read-${round}`
    const reading = gateway.get(`${consumer(name)}/messages?autoCommit=true&limit=10`)
    // In each phase of the read.
    await delay(round / 4)
    const committed = await gateway.request('PUT', `${consumer(name)}/offset`, { json: { offset: 100 } })
    const read = await reading
    t.equal(read.status, 200)
    t.equal(committed.status, 200, committed.text)
    t.ok(await storedBy(name) >= 100)
  }
})

t.test('two commits do not cross: the higher offset stays', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const name = `commit-${round}`
    const offsets = [100, 50, 150, 20]
    const answers = await Promise.all(offsets.map(async (offset) => {
      return await gateway.request('PUT', `${consumer(name)}/offset`, { json: { offset } })
    }))
    for (const { status, text } of answers) t.ok(status === 200 || text.includes('offset_goes_back'), text)
    t.equal(await storedBy(name), 150)
  }
})

t.test('of commits that expect the same offset, one is stored', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const name = `expected-${round}`
    await gateway.request('PUT', `${consumer(name)}/offset`, { json: { offset: 1 } })
    const answers = await Promise.all([2, 3, 4, 5].map(async (offset) => {
      return await gateway.request('PUT', `${consumer(name)}/offset`, { json: { offset, expected: 1 } })
    }))
    t.same(answers.map(({ status }) => status).sort(), [200, 412, 412, 412])
  }
})

t.test('a first read from a later place does not undo a commit', async (t) => {
  for (let round = 0; round < ROUNDS; round++) {
    const name = `first-${round}`
    const reading = gateway.get(`${consumer(name)}/messages?from=50&limit=1`)
    await delay(round / 4)
    const committed = await gateway.request('PUT', `${consumer(name)}/offset`, { json: { offset: 100 } })
    const read = await reading
    t.equal(read.status, 200)
    t.equal(committed.status, 200, committed.text)
    t.equal(await storedBy(name), 100)
  }
})
