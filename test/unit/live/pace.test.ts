import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Pace } from '../../../src/live/pace.ts'

t.test('thousands that are due together are spread over turns of the event loop, and all of them come', async (t) => {
  const pace = new Pace()
  let begun = 0
  const all = Array.from({ length: 2000 }, async () => {
    await pace.turn()
    begun++
  })
  const perTurn: number[] = []
  for (let turns = 0; turns < 12; turns++) {
    const before = begun
    await nextTurn()
    perTurn.push(begun - before)
  }
  await Promise.all(all)
  t.equal(begun, 2000)
  t.ok(Math.max(...perTurn) <= 512, perTurn.join())
})

t.test('one that is due alone does not wait, also after many others', async (t) => {
  const pace = new Pace()
  t.equal(pace.turn(), undefined)
  await Promise.all(Array.from({ length: 1000 }, async () => { await pace.turn() }))
  await nextTurn()
  await nextTurn()
  t.equal(pace.turn(), undefined)
})
