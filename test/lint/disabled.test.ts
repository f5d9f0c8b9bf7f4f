import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const held = /^(architecture\/.*|max-lines|max-lines-per-function|@stylistic\/max-len|no-restricted-.*)$/

t.test('no source turns a rule of the architecture off', async (t) => {
  const files = ['src', 'bench', 'scripts', 'lint'].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((file) => `${folder}/${file}`))
  const sources = files.filter((file) => /\.(ts|m?js)$/.test(file))
  t.ok(sources.length > 200)
  t.strictSame(sources.filter((file) => disabledIn(readFileSync(file, 'utf8')).some((rule) => held.test(rule))), [])
})

t.test('what turns a rule off is found', async (t) => {
  t.strictSame(disabledIn('// eslint-disable-next-line no-void, max-lines -- why'), ['no-void', 'max-lines'])
  t.strictSame(disabledIn('/* eslint-disable */'), ['architecture/all'])
  t.strictSame(disabledIn('/* eslint max-lines: off */'), ['max-lines'])
})

/** The rules that the comments of a source turn off or change; `architecture/all` for a comment that names none. */
function disabledIn (text: string): string[] {
  const disabling = /(?:\/\*|\/\/)\s*eslint(?:-disable(?:-next-line|-line)?)?(?![\w.-])([^*\n]*?)(?=--|\*\/|\n|$)/g
  return [...text.matchAll(disabling)].flatMap(([, names = '']) => {
    const rules = names.split(',').map((name) => name.split(':')[0]?.trim() ?? '').filter((name) => name !== '')
    return rules.length === 0 ? ['architecture/all'] : rules
  })
}
