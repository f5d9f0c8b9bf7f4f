import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'

const pages = [
  ...readdirSync('.').filter((name) => name.endsWith('.md')),
  ...['docs', 'examples'].flatMap((folder) => readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md')).map((name) => join(folder, name)))
]

/** As GitHub makes them from headings. */
function anchorsOf (markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```$/gms, '')
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )
}

t.test('every link within the documentation leads somewhere', async (t) => {
  t.ok(pages.includes('README.md') && pages.length > 8, pages.join(' '))
  const broken = pages.flatMap((page) => {
    const prose = readFileSync(page, 'utf8').replace(/^```.*?^```$/gms, '').replace(/`[^`\n]*`/g, '')
    return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target)
      .filter((target) => !/^(https?:|\/)/.test(target))
      .filter((target) => {
        const [path = '', anchor] = target.split('#')
        const file = path === '' ? page : join(dirname(page), path)
        if (!existsSync(file)) return true
        return anchor !== undefined && !anchorsOf(readFileSync(file, 'utf8')).includes(anchor)
      })
      .map((target) => `${page}: ${target}`)
  })
  t.same(broken, [])
})

t.test('every promise names a test that exists', async (t) => {
  const cited = [...readFileSync('docs/guarantees.md', 'utf8').matchAll(/`(test\/\S+)`/g)].map(([, file = '']) => file)
  t.ok(cited.length > 10, `${cited.length} tests`)
  t.same(cited.filter((file) => !existsSync(file)), [])
})
