import { readFileSync } from 'node:fs'
import t from 'tap'
import { KEY_FILE } from '../../src/access/keys/key-file.ts'
import { parseScope } from '../../src/access/scopes.ts'
import { ENTRY_FIELDS } from '../../src/access/entries/entry.ts'

const page = readFileSync(new URL('../../docs/api-keys.md', import.meta.url), 'utf8')

t.test('the file of the page is taken, and has every field that there is', async (t) => {
  const [, text = ''] = /```json\n(\{\s*"keys"[^]*?)```/.exec(page) ?? []
  const [entry] = KEY_FILE.parse(text)
  t.same(Object.keys(entry ?? {}).sort(), [...Object.keys(ENTRY_FIELDS), 'hash'].sort())
  t.same(Object.keys(entry?.limits ?? {}).sort(), Object.keys(ENTRY_FIELDS.limits.properties).sort())
})

t.test('each scope of the page is one', async (t) => {
  const scopes = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, scope = '']) => scope)
  t.ok(scopes.length >= 6)
  for (const scope of scopes) t.ok(parseScope(scope), scope)
})
