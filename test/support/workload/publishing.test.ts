import { createServer } from 'node:http'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { exactly } from '../exactly.ts'
import { Ledger, publishLoad, type Outcome, type Target } from './index.ts'

type Answer = { status: number, json: object } | 'broken off'

const none = { status: 503, json: { sideEffects: 'none' } }
const possible = { status: 504, json: { sideEffects: 'possible' } }
const done = (confirmed: number, duplicates = 0): Answer => ({ status: 200, json: { confirmed, duplicates } })

/** A gateway that gives these answers, one after the other. */
async function answering (t: Test, answers: readonly Answer[]): Promise<Target> {
  const left = [...answers]
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      const answer = left.shift()
      if (answer === undefined || answer === 'broken off') response.destroy()
      else response.writeHead(answer.status, { connection: 'close' }).end(JSON.stringify(answer.json))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => { server.close() })
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}` }
}

interface Entered {
  lies: string[]
  outcomes: Outcome[]
}

/** What the ledger has of one request of three messages that gets these answers. */
async function told (t: Test, isNamed: boolean, ...answers: Answer[]): Promise<Entered> {
  const ledger = new Ledger('p', { isNamed, batch: 3 })
  const target = await answering(t, answers)
  await publishLoad({ target, stream: 's', ledger, requests: 1, stop: AbortSignal.timeout(10_000) })
  return { lies: ledger.lies, outcomes: [0, 1, 2].map((number) => ledger.outcomeOf(number)) }
}

t.test('what was reported as not stored cannot be a duplicate when it is sent again', async (t) => {
  const results = [{ index: 1, status: 'unknown' }, { index: 2, status: 'failed' }]
  const partly = { status: 207, json: { confirmed: 1, duplicates: 0, results } }
  const honest: Answer[][] = [
    [none, done(3)],
    [possible, done(0, 3)],
    [none, possible, none, done(1, 2)],
    ['broken off', done(0, 3)],
    [partly, done(1, 2)]
  ]
  for (const answers of honest) {
    const allConfirmed = { lies: [], outcomes: Array(3).fill('confirmed') }
    t.same(await told(t, true, ...answers), allConfirmed, JSON.stringify(answers))
  }
  const untrue: Array<[number, Answer[]]> = [
    [0, [done(2, 1)]],
    [0, [none, none, done(0, 3)]],
    [2, [partly, done(0, 3)]]
  ]
  for (const [most, answers] of untrue) {
    const { lies } = await told(t, true, ...answers)
    t.match(lies, exactly(new RegExp(`only ${most} may have been stored`)), JSON.stringify(answers))
  }
})

t.test('an answer speaks of each message once, and of effects when it has some', async (t) => {
  const untrue: Answer[] = [
    done(2),
    { status: 207, json: { confirmed: 3, duplicates: 0, results: [{ index: 0, status: 'failed' }] } },
    { status: 413, json: { sideEffects: 'none', published: { confirmed: 1, duplicates: 0 } } }
  ]
  for (const answer of untrue) t.equal((await told(t, false, answer)).lies.length, 1, JSON.stringify(answer))
})

t.test('without a name every message is entered as it was told, once', async (t) => {
  const failed = { index: 0, status: 'failed' }
  const unknown = { index: 2, status: 'unknown' }
  const partly = { confirmed: 1, duplicates: 0, results: [failed, unknown] }
  const published = { confirmed: 1, duplicates: 0, results: [{ index: 1, status: 'unknown' }] }
  const cases: Array<[Answer, Outcome[]]> = [
    [none, ['failed', 'failed', 'failed']],
    [possible, ['unknown', 'unknown', 'unknown']],
    ['broken off', ['unknown', 'unknown', 'unknown']],
    [{ status: 207, json: partly }, ['failed', 'confirmed', 'unknown']],
    [{ status: 413, json: { sideEffects: 'possible', published } }, ['confirmed', 'unknown', 'failed']]
  ]
  for (const [answer, outcomes] of cases) {
    t.same(await told(t, false, answer), { lies: [], outcomes }, JSON.stringify(answer))
  }
})
