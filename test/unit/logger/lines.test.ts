import t from 'tap'
import { escapeHidden, prettyLine } from '../../../src/logger/lines.ts'

const HIDDEN = [
  '\u007f', '\u0080', '\u0085', '\u009b', '\u009f', '\u061c', '\u200e', '\u200f', '\u2028', '\u2029', '\u202a',
  '\u202e', '\u2066', '\u2069', '\ufeff'
]

t.test('no hidden character reaches the log, in a name, a value or a stack', async (t) => {
  for (const character of HIDDEN) {
    const said = {
      level: 'info',
      time: 0,
      msg: `m${character}`,
      stream: `s${character}`,
      [`k${character}`]: [`v${character}`],
      err: { stack: `Error: x${character}\n  at y` }
    }
    const line = JSON.stringify(said) + '\n'
    const json = escapeHidden(line)
    t.notOk(json.includes(character))
    t.same(JSON.parse(json), said, 'and it is the same JSON')
    t.notOk(prettyLine(line).includes(character))
  }
})

t.test('a line for people is one line, whatever a name has in it', async (t) => {
  const process = { time: 3_723_004, pid: 1, hostname: 'h' }
  const said = { level: 'warn', ...process, msg: 'it "is"', stream: 'a\nb\u001b[2J', ms: 1.5 }
  t.equal(prettyLine(JSON.stringify(said)), '01:02:03.004 WARN  it "is" stream="a\\nb\\u001b[2J" ms=1.5\n')
})

t.test('names in every script, and what people write, stay readable', async (t) => {
  const line = '{"msg":"Bestellung für 東京 😀 עברית"}\n'
  t.equal(escapeHidden(line), line)
})
