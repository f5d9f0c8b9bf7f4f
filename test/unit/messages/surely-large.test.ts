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

/** A text and JSON of it, some of whose characters are written as escapes. */
const string = fc.tuple(fc.string({ unit: 'binary' }), fc.array(fc.boolean(), { maxLength: 8 }))
  .map(([text, escaped]) => {
    const written = Array.from(text, (character, index) => {
      if (escaped[index % 8] !== true) return JSON.stringify(character).slice(1, -1)
      return Array.from({ length: character.length }, (_, at) => {
        return `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`
      }).join('')
    })
    return { text, json: Buffer.from(`"${written.join('')}"`) }
  })

// What a frame has beside the body of its message.
const FRAME_BYTES = 21

t.test('nothing that fits is refused', async (t) => {
  fc.assert(fc.property(string, ({ text, json }) => {
    const frameMaxBytes = Buffer.byteLength(text) + FRAME_BYTES
    const base64 = Buffer.from(JSON.stringify(Buffer.from(text).toString('base64')))
    return !isRefused(json, 'text', frameMaxBytes) && !isRefused(base64, 'base64', frameMaxBytes) &&
      !isRefused(json, 'json', json.length + FRAME_BYTES)
  }), { numRuns: 2000 })
  t.pass('texts of any characters, written in any way')
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
