import fc from 'fast-check'
import t from 'tap'
import { jsonSteps } from '../../../src/text/json-steps.ts'

function isJson (bytes: Buffer): { isJson: boolean, steps: number, longestMs: number } {
  const steps = jsonSteps(bytes)
  let longestMs = 0
  for (let count = 1; ; count++) {
    const startMs = performance.now()
    const { done, value } = steps.next()
    longestMs = Math.max(longestMs, performance.now() - startMs)
    if (done === true) return { isJson: value, steps: count, longestMs }
  }
}

function parses (text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const piece = fc.constantFrom(
  '{', '}', '[', ']', ',', ':', '"', '"a"', '"\\u00e9"', '"\\u12g4"', '\\', '"\\n"', '"\\x"', '"é"', '"\t"', '0', '01',
  '-', '-0', '1.5', '1.', '.5', '1e5', '1E+5', '1e', 'true', 'false', 'null', 'tru', ' ', '\n', '\r', '\t', '\f', '{}',
  '[]', '{"a":1}', '[1,2]', '\ufeff'
)

t.test('says of any text what JSON.parse says', async () => {
  const texts = fc.oneof(
    fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
    fc.json({ maxDepth: 8 }),
    fc.tuple(fc.json(), fc.nat(200), piece).map(([json, at, other]) => json.slice(0, at) + other + json.slice(at))
  )
  fc.assert(fc.property(texts, (text) => isJson(Buffer.from(text)).isJson === parses(text)), { numRuns: 20_000 })
})

t.test('many megabytes of any kind are checked in small steps', async (t) => {
  const mib = 1024 * 1024
  const inputs: Array<[string, string, boolean]> = [
    ['brackets', '['.repeat(4 * mib) + ']'.repeat(4 * mib), false],
    ['brackets that stay open', '['.repeat(8 * mib), false],
    ['nested objects', '{"":'.repeat(mib) + '1' + '}'.repeat(mib), false],
    ['empty objects', `[${'{},'.repeat(2 * mib)}{}]`, true],
    ['one string', `"${'x'.repeat(8 * mib)}"`, true],
    ['escapes', `"${'\\u0000'.repeat(mib)}"`, true],
    ['keys', `{${'"k":1,'.repeat(mib)}"k":1}`, true],
    ['white space', `${' '.repeat(8 * mib)}1`, true],
    ['numbers', `[${'-1.5e3,'.repeat(mib)}1]`, true]
  ]
  for (const [name, text, expected] of inputs) {
    // The best of some runs: another process may take the core away in the middle of a step.
    const runs = Array.from({ length: 3 }, () => isJson(Buffer.from(text)))
    const longestMs = Math.min(...runs.map((run) => run.longestMs))
    for (const run of runs) t.equal(run.isJson, expected, name)
    t.ok(longestMs < 50, `${name}: the longest step took ${longestMs.toFixed(1)} ms`)
  }
})
