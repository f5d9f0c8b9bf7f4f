import { readdirSync } from 'node:fs'
import t from 'tap'
import { readFile } from '../../scripts/docs/page.ts'

t.test('docs/README.md has every page, once', async (t) => {
  const links = [...readFile('docs/README.md').matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, target = '']) => target)
  const pages = readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md')
  t.ok(pages.length > 10, pages.join(' '))
  t.same(links.sort(), pages.sort())
})
