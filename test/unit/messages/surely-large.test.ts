import fc from 'fast-check'
import t from 'tap'
import { refuseSurelyLarge, type Written } from '../../../src/messages/surely-large.ts'

const MIB = 1024 * 1024

function isRefused (json: Buffer, written: Written, frameMaxBytes: number): boolean {
  try {
    refuseSurelyLarge(3, json, written, frameMaxBytes)
    return false
  } catch (error) {
    t.match(error, { code: 'message_too_large', message: /^message 3 / })
    return true
  }
}

/** JSON of a text, some of whose characters are written as escapes. */
function written (text: string, isEscaped: readonly boolean[]): Buffer {
  const characters = Array.from(text, (character, index) => {
    if (isEscaped[index % isEscaped.length] !== true) return JSON.stringify(character).slice(1, -1)
    return Array.from({ length: character.length }, (_, at) => {
      return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
    }).join('')
  })
  return Buffer.from(`"${characters.join('')}"`)
}

// What a frame has beside the body of its message.
const FRAME_BYTES = 21
const text = fc.string({ unit: 'binary', minLength: 40, maxLength: 200 })
const escapes = fc.array(fc.boolean(), { minLength: 1, maxLength: 8 })

t.test('nothing that fits is refused, and what is written plainly is refused a little above', async (t) => {
  let longerThanFrame = 0
  fc.assert(fc.property(text, escapes, (text, isEscaped) => {
    const bytes = Buffer.from(text)
    const frameMaxBytes = bytes.length + FRAME_BYTES
    const base64 = written(bytes.toString('base64'), isEscaped)
    const json = written(text, isEscaped)
    if (json.length > frameMaxBytes && base64.length > frameMaxBytes) longerThanFrame++
    return !isRefused(json, 'text', frameMaxBytes) && !isRefused(base64, 'base64', frameMaxBytes)
  }), { numRuns: 2000 })
  t.ok(longerThanFrame > 500, `${longerThanFrame} of them are written in more bytes than a frame has`)
  const plain = Buffer.from(`"${'x'.repeat(100)}"`)
  t.notOk(isRefused(plain, 'text', 100 + FRAME_BYTES))
  t.ok(isRefused(plain, 'text', 100))
  t.notOk(isRefused(plain, 'json', 102 + FRAME_BYTES))
  t.ok(isRefused(plain, 'json', 101))
  t.ok(isRefused(Buffer.from(`"${'QUJD'.repeat(50)}"`), 'base64', 140))
})

t.test('what is far too large is refused without being read to its end', async (t) => {
  const texts: ReadonlyArray<readonly [Written, string]> = [
    ['text', `"${'x'.repeat(15 * MIB)}"`],
    ['text', `"${'\\n'.repeat(3 * MIB)}"`],
    ['text', `"${'\\u00e9'.repeat(2 * MIB)}"`],
    ['base64', `"${'QUJD'.repeat(3 * MIB)}"`],
    ['json', `[${'1,'.repeat(MIB)}1]`],
    ['text', `[${'1,'.repeat(MIB)}1]`]
  ]
  for (const [written, text] of texts) t.ok(isRefused(Buffer.from(text), written, MIB), written)
})
