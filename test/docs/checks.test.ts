import t from 'tap'
import { unknownCommands, unnamedCommands } from '../../scripts/docs/commands.ts'
import { unknownCodes, unnamedCodes, wrongProblems, wrongStatuses } from '../../scripts/docs/error-codes.ts'
import { brokenLinks, missingPaths, unlistedPages } from '../../scripts/docs/links.ts'
import { unknownOperations, unnamedOperations } from '../../scripts/docs/operation-ids.ts'
import type { Check, Page } from '../../scripts/docs/page.ts'
import { partFaults, withParts } from '../../scripts/docs/parts.ts'
import { unknownVariables, unnamedSettings } from '../../scripts/docs/variables.ts'

const page = (text: string, path = 'docs/errors.md'): Page => ({ path, text })
const part = { page: 'docs/errors.md', name: 'error codes', text: '## overloaded' }
const current = '# Errors\n\n<!-- generated: error codes -->\n\n## overloaded\n\n<!-- end -->\n\nMore.\n'

/** What a check says of a page with this text: nothing, or a line for each fault. */
const said = (check: Check, text: string, path?: string): string => check([page(text, path)]).join('\n')
const partFault = (...pages: Page[]): string => partFaults(pages, [part]).join('\n')

t.test('a generated part is written between its markers, and nothing else is changed', async (t) => {
  const old = current.replace('## overloaded', '## older')
  t.same(withParts([page(old)], [part]), [page(current)])
  t.same(withParts([page(current)], [part]), [page(current)])
  t.same(withParts([page('# Errors\n')], [part]), [page('# Errors\n')])
  t.same(withParts([page(old, 'README.md')], [part]), [page(old, 'README.md')])
})

t.test('a generated part that is not current, or has no place, is a fault', async (t) => {
  t.equal(partFault(page(current)), '')
  t.match(partFault(page(current.replace('## overloaded', '## older'))), 'differs from the code')
  t.match(partFault(page(current.replace('<!-- end -->', ''))), 'docs/errors.md needs')
  t.match(partFault(page(current + current)), 'docs/errors.md needs')
  t.match(partFault(), 'docs/errors.md is missing')
})

t.test('the end of the next part is not the end of this one', async (t) => {
  const others = { ...part, name: 'others' }
  const text = `<!-- generated: error codes -->\n${current.replace('error codes', 'others')}`
  t.same(withParts([page(text)], [part, others]), [page(text)])
})

t.test('a place for a part that there is not is a fault', async (t) => {
  t.match(partFault(page(current), page(current, 'README.md')), 'README.md has a place for "error codes"')
})

t.test('a command that a page names is in package.json, and the other way round', async (t) => {
  t.equal(said(unknownCommands, 'Run `npm start`, `npm run -s openapi -- --check`, `npm run docs:check`.'), '')
  t.match(said(unknownCommands, 'Run `npm run deploy`.'), 'npm run deploy')
  t.match(said(unnamedCommands, ''), 'npm run dev')
  const all = ['start', 'run dev', 'run broker', 'run dashboard', 'run fuzz:api', 'run keys', 'run rabbitmqctl']
  t.equal(said(unnamedCommands, all.map((name) => `\`npm ${name}\``).join(', ')), '')
})

t.test('a variable that a page names is a setting or is read by something, and the other way round', async (t) => {
  t.equal(said(unknownVariables, '`HTTP_PORT`, RABBITMQ_STREAM_URL_FILE, TEST_RABBITMQ, `TEST_STREAM_URL`'), '')
  t.match(said(unknownVariables, 'HTTP_PROT'), 'HTTP_PROT')
  t.match(said(unknownVariables, '`READERS_MAX`'), 'READERS_MAX')
  t.equal(said(unknownVariables, 'HTTP_PROT', 'CHANGELOG.md'), '', 'the changelog speaks of the past')
  t.match(said(unnamedSettings, 'HTTP_PORTS'), 'no page names the setting HTTP_PORT')
  t.notMatch(said(unnamedSettings, '`HTTP_PORT`'), 'no page names the setting HTTP_PORT')
})

t.test('an error code that a page names is one, with its status, and the other way round', async (t) => {
  t.equal(said(unknownCodes, '`bad_request`, `messages_failed_total`, `rabbitmq_stream`, `nextOffset`'), '')
  t.match(said(unknownCodes, '`bad_requests`'), 'bad_requests')
  t.equal(said(wrongStatuses, '503 `overloaded`'), '')
  t.match(said(wrongStatuses, '429 `overloaded`'), '429 `overloaded`')
  t.match(said(wrongStatuses, '503 `overload`'), '503 `overload`')
  t.match(said(unnamedCodes, ''), 'no page names the error code overloaded')
  t.notMatch(said(unnamedCodes, '## overloaded'), 'no page names the error code overloaded')
})

t.test('a problem that a page shows is one', async (t) => {
  const shown = (status: number): string => '```json\n' +
    `{"type": "/problems/overloaded", "title": "Overloaded", "status": ${status}, "code": "overloaded"}\n` +
    '```\n'
  t.equal(said(wrongProblems, shown(503)), '')
  t.match(said(wrongProblems, shown(500)), 'shows a problem overloaded')
})

t.test('an operationId that a page names is one, and the other way round', async (t) => {
  t.equal(said(unknownOperations, '`publishMessages`, `nextOffset`, `publishingId`'), '')
  t.match(said(unknownOperations, '`publishMessage`'), 'publishMessage')
  t.equal(said(unknownOperations, '`readFrames`', 'docs/architecture.md'), '', 'it names functions')
  t.match(said(unnamedOperations, ''), 'no page names the operation readMessages')
  t.notMatch(said(unnamedOperations, '`readMessages`'), 'no page names the operation readMessages')
})

t.test('a link leads to a file, and to a heading in it', async (t) => {
  t.equal(said(brokenLinks, '[a](../README.md) [b](../README.md#start) [c](#here) [d](https://x)\n\n## Here\n'), '')
  t.match(said(brokenLinks, '[a](CHANGELOG.md)'), 'links to CHANGELOG.md')
  t.match(said(brokenLinks, '[b](../README.md#no-such-heading)'), '#no-such-heading')
  t.match(said(brokenLinks, '[c](#here)'), '#here')
  t.equal(said(brokenLinks, '`[a](README.md)`'), '', 'code has no links')
})

t.test('a path that a page names in code is there', async (t) => {
  t.equal(said(missingPaths, '`src/app.ts`, `src/streams/`, `test/faults/*.test.ts`, `npm test -- test/docs/`'), '')
  t.equal(said(missingPaths, 'src/none.ts, `/docs/none`, `http://127.0.0.1/docs/none`'), '')
  t.match(said(missingPaths, '`src/none.ts`'), 'src/none.ts')
  t.match(said(missingPaths, '`npm test -- test/none.test.ts`'), 'test/none.test.ts')
  t.match(said(missingPaths, '`test/none/*.test.ts`'), 'test/none/')
  t.match(said(missingPaths, '```sh\nless src/none.ts\n```\n'), 'src/none.ts')
})

t.test('a page that the list of pages leaves out is a fault', async (t) => {
  const list = page('[a](errors.md) [b](../README.md)', 'docs/README.md')
  t.same(unlistedPages([list, page(''), page('', 'README.md'), page('', 'docs/decisions/1.md')]), [])
  t.same(unlistedPages([list, page('', 'docs/api.md')]), ['docs/README.md does not list docs/api.md'])
})
