import t from 'tap'
import { KnownNames } from '../../../src/streams/directory/known-names.ts'

t.test('names are known by stream, each once', async (t) => {
  const known = new KnownNames()
  for (const name of ['a', 'b', 'a']) known.add('s', name)
  t.same([...known.of('s')], ['a', 'b'])
  t.same([...known.of('other')], [])
  known.forget('s')
  t.same([...known.of('s')], [])
})

t.test('however many names clients make up, a bounded number is kept, the latest of them', async (t) => {
  const known = new KnownNames()
  for (let n = 0; n < 5000; n++) known.add('s', `name-${n}`)
  t.equal(known.of('s').size, 1000)
  t.ok(known.of('s').has('name-4999'))
  let kept = 0
  for (let n = 0; n < 100_000; n++) known.add(`stream-${n % 10_000}`, `name-${n}`)
  for (let n = 0; n < 10_000; n++) kept += known.of(`stream-${n}`).size
  t.ok(kept > 10_000 && kept <= 50_000, `${kept} are kept`)
  t.ok(known.of('stream-9999').has('name-99999'))
  t.equal(known.of('s').size, 0)
})
