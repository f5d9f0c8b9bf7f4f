import t from 'tap'
import { EntryFileError } from '../../../src/access/entries/entry-file.ts'
import { KEY_FILE } from '../../../src/access/keys/key-file.ts'
import { newKey } from '../../support/keyed-gateway.ts'

const FULL = {
  ...newKey().entry,
  id: 'k7f3a9c2',
  scopes: ['read:*/orders*', 'write:*/billing.out', 'reset:*/orders*', 'monitor'],
  consumers: ['billing*'],
  publishers: ['billing-*'],
  notBefore: '2026-11-01T00:00:00Z',
  expires: '2027-11-01T00:00:00Z',
  limits: { requestsPerSecond: 200, publishBytesPerSecond: 5242880, readBytesPerSecond: 0, concurrentRequests: 3 },
  disabled: false
}

function refusal (content: string | object): string {
  try {
    KEY_FILE.parse(typeof content === 'string' ? content : JSON.stringify(content))
  } catch (error) {
    if (!(error instanceof EntryFileError)) throw error
    return error.message
  }
  throw new Error(`it was taken: ${JSON.stringify(content)}`)
}

t.test('a file with every field is read', async (t) => {
  t.same(KEY_FILE.parse(JSON.stringify({ keys: [FULL] })), [FULL])
  t.same(KEY_FILE.parse(`\ufeff${JSON.stringify({ keys: [FULL] })}\n`), [FULL], 'also after a byte order mark')
})

t.test('a file without keys is a file: the last key can be removed', async (t) => {
  t.same(KEY_FILE.parse('{ "keys": [] }'), [])
})

t.test('what is not valid is refused, and its place is named', async (t) => {
  const entry = (fields: object): object => ({ keys: [newKey().entry, { ...FULL, ...fields }] })
  const without = (field: string): object => ({ keys: [{ ...FULL, [field]: undefined }] })
  const hashForm = '/keys/1/hash must be sha256: and 64 hexadecimal digits in small letters'
  const cases: Array<[string | object, string]> = [
    ['', 'is not valid JSON at line 1, column 1'],
    ['{ "keys": [\n  {]\n', 'is not valid JSON at line 2, column 4'],
    ['{ "keys": [] } {', 'is not valid JSON at line 1, column 16'],
    ['{ "keys": [], "__proto__": 1 }', 'has a key "__proto__", which is refused'],
    ['[]', 'is not a JSON object'],
    ['null', 'is not a JSON object'],
    ['{ "keys": [], "keys": [] }', 'has a member twice'],
    [JSON.stringify({ keys: [FULL] }).replace('"disabled":', '"disabled":true,"disabled":'), 'has a member twice'],
    [{}, 'has no "keys"'],
    [{ keys: {} }, '/keys must be array'],
    [{ keys: [], more: 1 }, 'has an unknown field "more"'],
    [{ keys: [1] }, '/keys/0 must be object'],
    [without('id'), '/keys/0 has no "id"'],
    [without('name'), '/keys/0 has no "name"'],
    [without('hash'), '/keys/0 has no "hash"'],
    [without('scopes'), '/keys/0 has no "scopes"'],
    [entry({ scope: 'read:*/*' }), '/keys/1 has an unknown field "scope"'],
    [entry({ id: 'K7f3a9c2' }), '/keys/1/id must be eight small letters and digits'],
    [entry({ id: 'k7f3a9c22' }), '/keys/1/id must be eight small letters and digits'],
    [entry({ name: '' }), '/keys/1/name must be 1 to 128 characters without control characters'],
    [entry({ name: 'a\nb' }), '/keys/1/name must be 1 to 128 characters without control characters'],
    [entry({ name: '\u202ea' }), '/keys/1/name must be 1 to 128 characters without control characters'],
    [entry({ hash: FULL.hash.slice(7) }), hashForm],
    [entry({ hash: FULL.hash.toUpperCase() }), hashForm],
    [entry({ scopes: 'read:*/*' }), '/keys/1/scopes must be array'],
    [entry({ scopes: ['read:*/*', 'reed:*/*'] }), '/keys/1/scopes/1 is not a scope such as read:*/orders*'],
    [entry({ scopes: ['read'] }), '/keys/1/scopes/0 is not a scope such as read:*/orders*'],
    [entry({ consumers: ['a', '%'] }), '/keys/1/consumers/1 has a % that begins no character'],
    [entry({ publishers: ['%zz'] }), '/keys/1/publishers/0 has a % that begins no character'],
    [entry({ publishers: [''] }), '/keys/1/publishers/0 must NOT have fewer than 1 characters'],
    [entry({ notBefore: 'soon' }), '/keys/1/notBefore is not a time such as 2027-11-01T00:00:00Z'],
    [entry({ expires: '2027-02-30T00:00:00Z' }), '/keys/1/expires is not a time such as 2027-11-01T00:00:00Z'],
    [entry({ expires: 1793491200 }), '/keys/1/expires must be string'],
    [entry({ expires: FULL.notBefore }), '/keys/1/expires is not after notBefore'],
    [entry({ expires: '2026-10-31T00:00:00Z' }), '/keys/1/expires is not after notBefore'],
    [entry({ limits: { requestsPerSecond: -1 } }), '/keys/1/limits/requestsPerSecond must be >= 0'],
    [entry({ limits: { requests: 1 } }), '/keys/1/limits has an unknown field "requests"'],
    [entry({ limits: { concurrentRequests: 1.5 } }), '/keys/1/limits/concurrentRequests must be integer'],
    [entry({ disabled: 'no' }), '/keys/1/disabled must be boolean'],
    [{ keys: [FULL, { ...newKey().entry, id: FULL.id }] }, '/keys/1/id is that of /keys/0 too'],
    [{ keys: [FULL, { ...newKey().entry, hash: FULL.hash }] }, '/keys/1/hash is that of /keys/0 too']
  ]
  for (const [content, message] of cases) t.equal(refusal(content), message)
})

t.test('a refusal never shows a hash or a key, wherever it stands', async (t) => {
  const { key, entry } = newKey()
  const hex = entry.hash.slice(7)
  for (const secret of [key, entry.hash, hex]) {
    const contents = [
      { keys: [{ ...FULL, [secret]: 1 }] }, { [secret]: 1, keys: [] }, { keys: [{ ...FULL, limits: { [secret]: 1 } }] },
      { keys: [{ ...FULL, id: secret }] }, { keys: [{ ...FULL, hash: `${secret} ` }] },
      { keys: [{ ...FULL, scopes: [secret] }] }, { keys: [{ ...FULL, consumers: [`${secret}%`] }] },
      { keys: [{ ...FULL, expires: secret }] }, { keys: [{ ...FULL, disabled: secret }] }, secret,
      `{ "keys": [ { "hash": ${secret} } ] }`, `{ "keys": [ { "hash": "${secret} } ] }`, `{ ${secret}: 1 }`,
      `{ "keys": [ { "hash": "${secret}" "id": 1 } ] }`
    ]
    for (const content of contents) t.notOk(refusal(content).includes(hex.slice(0, 10)), JSON.stringify(content))
    for (const content of contents) t.notOk(refusal(content).includes(key.slice(0, 20)), JSON.stringify(content))
  }
})
