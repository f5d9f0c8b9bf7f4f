import t from 'tap'
import { claimsOf } from '../../../src/access/token-claims.ts'

const tokenOf = (payload: string): string => `e30.${Buffer.from(payload).toString('base64url')}.c2ln`

t.test('a token says when it expires and of whom it speaks', (t) => {
  t.same(claimsOf(tokenOf('{"sub":"s","client_id":"c","exp":2}')), { subject: 's', expiresMs: 2000 })
  t.same(claimsOf(tokenOf('{"client_id":"c","exp":1.5}')), { subject: 'c', expiresMs: 1500 })
  t.same(claimsOf(tokenOf('{"sub":7,"exp":"2"}')), { subject: undefined, expiresMs: undefined })
  for (const exp of ['1e300', '-1e300', '8.65e12']) {
    t.same(claimsOf(tokenOf(`{"exp":${exp}}`))?.expiresMs, undefined, 'a time that no date can be')
  }
  t.end()
})

t.test('any other password says nothing', (t) => {
  for (const text of ['', 'secret', 'a.b', 'a.b.c', 'a.b.c.d', tokenOf('null'), tokenOf('[1'), tokenOf('"text"')]) {
    t.equal(claimsOf(text), undefined, text)
  }
  t.end()
})
