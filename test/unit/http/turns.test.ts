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

t.test('none while newcomers come, but not for ever', async (t) => {
  const turns = new Turns()
  const startMs = performance.now()
  const work = turns.next().then(() => performance.now() - startMs)
  while (performance.now() - startMs < 1000) {
    turns.newcomer()
    await nextLoop()
  }
  const ms = await work
  t.ok(ms > 100 && ms < 900, `after ${Math.round(ms)} ms`)
  const again = turns.next()
  await nextLoop()
  await nextLoop()
  await again
})
