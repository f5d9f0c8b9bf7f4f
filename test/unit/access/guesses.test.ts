import t from 'tap'
import { AccessError } from '../../../src/access/access-error.ts'
import { Guesses } from '../../../src/access/guesses.ts'

t.test('after ten failures in a minute an address is refused, and no other', (t) => {
  let nowMs = 0
  const guesses = new Guesses(() => nowMs)
  for (let failure = 0; failure < 10; failure++) {
    guesses.refuse('a')
    guesses.failed('a')
    nowMs += 1000
  }
  t.throws(() => { guesses.refuse('a') }, { code: 'too_many_requests', retryAfterSeconds: 60 })
  guesses.refuse('b')
  nowMs = 59_999
  t.throws(() => { guesses.refuse('a') }, AccessError)
  nowMs = 60_000
  guesses.refuse('a')
  t.end()
})

t.test('whoever has a network of IPv6 addresses has ten tries in it', (t) => {
  const guesses = new Guesses(() => 0)
  for (let failure = 0; failure < 10; failure++) guesses.failed(`2001:db8:1:2::${failure}`)
  t.throws(() => { guesses.refuse('2001:db8:1:2:ffff::1') }, AccessError)
  guesses.refuse('2001:db8:1:3::1')
  t.end()
})

t.test('failures from any number of addresses take bounded memory', (t) => {
  const guesses = new Guesses(() => 0)
  for (let address = 0; address < 30_000; address++) guesses.failed(`10.0.${address}`)
  t.equal(guesses.size, 10_000)
  for (let failure = 0; failure < 1000; failure++) guesses.failed('one')
  t.equal(guesses.size, 10_000)
  t.throws(() => { guesses.refuse('one') }, AccessError)
  t.end()
})
