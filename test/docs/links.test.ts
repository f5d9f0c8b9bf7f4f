import { existsSync } from 'node:fs'
import t from 'tap'
import { brokenLinks } from '../../scripts/docs/links.ts'
import { readFile, readPages } from '../../scripts/docs/page.ts'

t.test('every link within the documentation leads somewhere', async (t) => {
  const pages = readPages()
  const paths = pages.map(({ path }) => path)
  t.ok(paths.includes('README.md') && paths.length > 8, paths.join(' '))
  t.same(brokenLinks(pages), [])
})

t.test('every promise names a test that exists', async (t) => {
  const cited = [...readFile('docs/guarantees.md').matchAll(/`(test\/\S+)`/g)].map(([, file = '']) => file)
  t.ok(cited.length > 10, `${cited.length} tests`)
  t.same(cited.filter((file) => !existsSync(file)), [])
})
