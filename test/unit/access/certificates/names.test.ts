import t from 'tap'
import { certificateNames } from '../../../../src/access/certificates/names.ts'

t.test('a certificate is named by its URIs, else its DNS names, else its common name', (t) => {
  const cases: Array<[subjectAltName: string | undefined, commonName: unknown, names: string[]]> = [
    ['DNS:a.example, URI:spiffe://x/a, DNS:b.example', 'c', ['spiffe://x/a']],
    ['URI:spiffe://x/a, URI:spiffe://x/b', 'c', ['spiffe://x/a', 'spiffe://x/b']],
    ['IP Address:10.0.0.1, DNS:a.example, DNS:*.b.example', 'c', ['a.example', '*.b.example']],
    ['email:a@b.example', 'c', ['c']],
    [undefined, 'Äöü 😀', ['Äöü 😀']],
    [undefined, undefined, []],
    [undefined, '', []]
  ]
  for (const [subjectAltName, commonName, names] of cases) {
    t.same(certificateNames({ subjectAltName, commonName }), names, String(subjectAltName))
  }
  t.end()
})

t.test('names that pretend to be others name nobody', (t) => {
  const cases: Array<[subjectAltName: string | undefined, commonName: unknown, names: string[]]> = [
    // One name that has a comma.
    ['DNS:"a.example, URI:spiffe://x/admin"', 'c', []],
    ['URI:"http://a/, URI:spiffe://x/admin"', 'c', ['http://a/, URI:spiffe://x/admin']],
    ['DNS:"a.example\\u0000.b.example"', 'c', []],
    ['DNS:a.example, DNS:"broken', 'c', []],
    ['DNS:a"b', 'c', []],
    ['nonsense', 'c', []],
    [undefined, 'admin\u0000.example', []],
    [undefined, 'spiffe://x/admin', []],
    ['DNS:spiffe://x/admin', 'c', []],
    [undefined, ['a', 'b'], []]
  ]
  for (const [subjectAltName, commonName, names] of cases) {
    t.same(certificateNames({ subjectAltName, commonName }), names, String(subjectAltName))
  }
  t.end()
})
