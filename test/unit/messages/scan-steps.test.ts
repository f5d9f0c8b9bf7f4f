import fc from 'fast-check'
import t from 'tap'
import { EventsRequest } from '../../../src/messages/cloudevents/events-request.ts'
import { MessageFormatError } from '../../../src/messages/format-error.ts'
import { addNdjsonLine } from '../../../src/messages/incoming.ts'
import { JsonRequest } from '../../../src/messages/json-request.ts'
import { PublishingIds } from '../../../src/messages/publishing-ids.ts'
import { WORK_OF_A_TURN, type Work } from '../../../src/messages/work.ts'
import { MessageBatch } from '../../../src/streams/index.ts'

const MIB = 1024 * 1024
const LIMITS = { maxMessages: 100, maxMessageValues: 1000, frameMaxBytes: MIB }
// A token may go beyond the end of a step; a number has up to three runs of digits of a MiB.
const MAX_EXCESS = 1024
const MAX_NUMBER_EXCESS = 3 * MIB

/** What a body is read as, and by how much the longest step took more than it may. */
interface Reading { readonly outcome: unknown, readonly excess: number }

/** Something that is done in steps: true when that was the last one. */
type Step = (work: Work) => boolean

function readInSteps (units: number, step: Step, outcome: () => unknown): Reading {
  let excess = 0
  for (;;) {
    const work = { units }
    try {
      const isOver = step(work)
      excess = Math.max(excess, -work.units)
      if (isOver) return { outcome: outcome(), excess }
    } catch (error) {
      if (!(error instanceof MessageFormatError)) throw error
      excess = Math.max(excess, -work.units)
      return { outcome: [error.constructor.name, error.pointer, error.message], excess }
    }
  }
}

type Reader = (body: Buffer, units: number) => Reading

const READERS: Readonly<Record<string, Reader>> = {
  JSON: (body, units) => {
    const request = new JsonRequest(body, LIMITS)
    return readInSteps(units, (work) => request.scan(work), () => [request.count, request.errors])
  },
  'a batch of events': (body, units) => {
    const request = new EventsRequest(body, LIMITS, { isBatch: true, firstPublishingId: undefined })
    return readInSteps(units, (work) => request.scan(work), () => [request.count, request.errors])
  },
  'an event': (body, units) => {
    const request = new EventsRequest(body, LIMITS, { isBatch: false, firstPublishingId: undefined })
    return readInSteps(units, (work) => request.scan(work), () => [request.count, request.errors])
  },
  'a line': (body, units) => {
    const batch = new MessageBatch()
    let line: ReturnType<typeof addNdjsonLine>
    let hasBegun = false
    const step = (work: Work): boolean => {
      if (hasBegun) return line?.continue(work) ?? true
      hasBegun = true
      line = addNdjsonLine(body, 7, { batch, ids: new PublishingIds(undefined), limits: LIMITS, work })
      return line === undefined
    }
    return readInSteps(units, step, () => batch.count)
  }
}

const DIGITS = '1'.repeat(MIB)
const spaces = (bytes: number): string => ' \t\r\n'.repeat(bytes / 4)
const HEAVY: Readonly<Record<string, string>> = {
  'white space alone': spaces(8 * MIB),
  'white space before': `${spaces(8 * MIB)}{"messages":[{"body":1}]}`,
  'white space after': `{"messages":[{"body":1}]}${spaces(8 * MIB)}`,
  'white space before and after all': [...'{?"messages"?:?[?{?"body"?:?1?}?,?{?"body"?:?2?,?"properties"?:?{?}?}?]?}']
    .map((character) => character === '?' ? spaces(MIB) : character).join(''),
  'white space of events': [...'?[?{?"data"?:?1?,?"id"?:?"1"?}?,?{?}?]?']
    .map((character) => character === '?' ? spaces(MIB) : character).join(''),
  'a key': `{"${'k'.repeat(8 * MIB)}" : 1}`,
  'a key of a message': `{"messages":[{"${'k'.repeat(8 * MIB)}":1}]}`,
  'a key in a body': `{"messages":[{"body":{"${'k'.repeat(8 * MIB)}" ${spaces(MIB)}: 1}}]}`,
  'a string': `{"messages":[{"body":"${'é'.repeat(4 * MIB)}"}]}`,
  'too many digits': `{"messages":[{"body":${'1'.repeat(8 * MIB)}}]}`,
  digits: `{"messages":[{"body":${DIGITS}.${DIGITS}e${DIGITS}}],"${DIGITS}":${DIGITS}}`,
  'a fault at the end': `{"messages":[{"body":"${'é'.repeat(4 * MIB)}"}] x`,
  'a fault after lines': `${'\n'.repeat(8 * MIB)}x`,
  'a bracket far after a comma': `[1,${spaces(8 * MIB)}]`,
  'nesting too deep at the end': `{"messages":[${spaces(8 * MIB)}{"body":${'['.repeat(2000)}`,
  'bytes that are not UTF-8 at the end': `{"messages":[${spaces(8 * MIB)}\xff`
}

for (const [reader, read] of Object.entries(READERS)) {
  t.test(`no step of ${reader} is long, whatever the body is`, async (t) => {
    for (const [name, text] of Object.entries(HEAVY)) {
      const body = Buffer.from(text, name.includes('UTF-8') ? 'latin1' : 'utf8')
      const { outcome, excess } = read(body, WORK_OF_A_TURN)
      const most = name.includes('digits') ? MAX_NUMBER_EXCESS : MAX_EXCESS
      t.ok(excess <= most, `${name}: ${excess} units too many`)
      t.same(outcome, read(body, Infinity).outcome, `${name}: as in one step`)
    }
  })
}

const piece = fc.constantFrom(
  '{', '}', '[', ']', ',', ':', '"messages"', '"body"', '"properties"', '"data"', '"id"', '"a\\n"', ' ', '\n', '\t\r ',
  '1', '-0.5e3', '"é"', 'true', 'null', '{"messages":[', '{"body":1}', '{"body": [1, {"a": 2}]}', ']}', '\u0001',
  'x', '"'
)

t.test('the size of the steps makes no difference', async (t) => {
  for (const [reader, read] of Object.entries(READERS)) {
    fc.assert(fc.property(fc.array(piece, { maxLength: 24 }), fc.integer({ min: 1, max: 12 }), (pieces, units) => {
      const body = Buffer.from(pieces.join(''))
      const expected = JSON.stringify(read(body, Infinity).outcome)
      const outcome = JSON.stringify(read(body, units).outcome)
      if (outcome !== expected) throw new Error(`${reader}: ${outcome} in steps of ${units}, ${expected} in one`)
    }), { numRuns: 2000 })
    t.pass(reader)
  }
})
