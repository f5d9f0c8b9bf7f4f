import t from 'tap'
import { Cap, type Holder } from '../../../src/streams/common/cap.ts'

function holderOf (cap: Cap): Holder & { idle: number, letGo: number } {
  const holder = {
    idle: 0,
    letGo: 0,
    letGoOfOne () {
      if (holder.idle === 0) return false
      holder.idle--
      holder.letGo++
      cap.give()
      return true
    }
  }
  cap.join(holder)
  return holder
}

t.test('a full cap is refused only when nobody lets go of anything', (t) => {
  const cap = new Cap(2)
  const [a, b] = [holderOf(cap), holderOf(cap)]
  t.same([cap.take(a), cap.take(b), cap.take(a)], [true, true, false])
  a.idle = 1
  b.idle = 1
  t.equal(cap.take(b), true)
  t.same([a.letGo, b.letGo], [0, 1], 'the one who asks lets go first')
  t.equal(cap.take(b), true)
  t.same([a.letGo, b.letGo], [1, 1])
  t.equal(cap.used, 2)
  cap.leave(a)
  a.idle = 1
  t.equal(cap.take(b), false, 'who has left is not asked')
  t.end()
})
