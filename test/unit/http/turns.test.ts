import t from 'tap'
import { Turns } from '../../../src/http/turns.ts'

const nextLoop = async (): Promise<void> => { await new Promise<void>((resolve) => { setImmediate(resolve) }) }

t.test('one piece of work a turn of the event loop, in the order of asking', async (t) => {
  const turns = new Turns()
  const done: number[] = []
  const works = [1, 2, 3].map(async (n) => {
    await turns.next()
    done.push(n)
  })
  const perLoop: number[] = []
  while (done.length < 3) {
    const before = done.length
    await nextLoop()
    perLoop.push(done.length - before)
  }
  await Promise.all(works)
  t.same(done, [1, 2, 3])
  t.ok(Math.max(...perLoop) === 1, String(perLoop))
})

t.test('while newcomers come none is done for a moment, and then as much as ever', async (t) => {
  let nowMs = 0
  const turns = new Turns(() => nowMs)
  const doneMs: number[] = []
  const works = Array.from({ length: 200 }, async () => {
    await turns.next()
    doneMs.push(nowMs)
  })
  while (doneMs.length < 200) {
    turns.newcomer()
    await nextLoop()
    nowMs += 10
  }
  await Promise.all(works)
  t.ok((doneMs[0] ?? 0) >= 190 && (doneMs[0] ?? 0) <= 220, `the first after ${doneMs[0]} ms`)
  t.ok(nowMs < 2600, `200 pieces in ${nowMs} ms, ten for each`)
})

t.test('who comes alone holds up nothing', async (t) => {
  let nowMs = 0
  const turns = new Turns(() => nowMs)
  turns.newcomer()
  const work = turns.next().then(() => nowMs)
  for (let loop = 0; loop < 5; loop++) {
    await nextLoop()
    nowMs += 10
  }
  t.ok(await work <= 30)
})
