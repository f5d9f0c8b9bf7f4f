import t from 'tap'
import { AccessError } from '../../../src/access/access-error.ts'
import { readCredential } from '../../../src/access/credential.ts'

const basic = (text: string | Buffer): string => `Basic ${Buffer.from(text).toString('base64')}`

t.test('no header is no credential', async (t) => {
  t.same(readCredential(undefined), { type: 'none' })
})

t.test('an API key comes as a Bearer token or as the password of any Basic user', async (t) => {
  const key = { type: 'key', key: 'sgw_abc' }
  t.same(readCredential('Bearer sgw_abc'), key)
  t.same(readCredential('bearer   sgw_abc'), key)
  t.same(readCredential(basic('anybody:sgw_abc')), key)
  t.same(readCredential(basic(':sgw_abc')), key)
  t.same(readCredential(basic('sgw_abc:other')), { type: 'basic', user: 'sgw_abc', password: 'other' })
})

t.test('other tokens, users and passwords are passed on as they are', async (t) => {
  t.same(readCredential('Bearer eyJ.a-b_c~d+e/f=='), { type: 'bearer', token: 'eyJ.a-b_c~d+e/f==' })
  t.same(readCredential('BEARER SGW_abc'), { type: 'bearer', token: 'SGW_abc' })
  t.same(readCredential(basic('user:pass:with:colons')), { type: 'basic', user: 'user', password: 'pass:with:colons' })
  t.same(readCredential(basic('ü:ß€')), { type: 'basic', user: 'ü', password: 'ß€' })
  t.same(readCredential(basic(':')), { type: 'basic', user: '', password: '' })
})

t.test('everything else is malformed, and the refusal shows nothing of it', async (t) => {
  const headers = [
    '', 'Bearer', 'Bearer ', 'Bearer secret secret', 'Bearer secret, Bearer secret', 'Bearer sécret', 'secret',
    'Digest username="secret"', 'Basic', 'Basic secret!', 'Basic c2VjcmV0', basic('secret'), basic('secret\n:x'),
    basic('x:secret\u0000'), basic(Buffer.from([0x61, 0x3a, 0xff, 0xfe])), 'Bearersecret', ' Bearer secret'
  ]
  for (const header of headers) {
    try {
      readCredential(header)
      t.fail(`${header} was taken`)
    } catch (error) {
      if (!(error instanceof AccessError)) throw error
      t.equal(error.code, 'unauthorized', header)
      t.notMatch(`${error.message} ${error.reason} ${String(error.stack)}`, /s.cret|c2VjcmV0/, header)
    }
  }
})
