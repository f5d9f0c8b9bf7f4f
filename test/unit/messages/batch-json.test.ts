import fc from 'fast-check'
import t from 'tap'
import { BufferPool } from '../../../src/text/buffer-pool.ts'
import { batchToJsonText, lineBody, linesOf, messageToJsonText } from '../../../src/messages/index.ts'
import type { EntryRun, OutgoingMessage, ReadMessage } from '../../../src/streams/index.ts'
import { stored, unreadable } from './support.ts'

const pool = new BufferPool(2, 1024 * 1024)
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const body = fc.oneof(
  fc.json().map((json) => Buffer.from(json)),
  text.map((value) => Buffer.from(value)),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom(
    Buffer.alloc(0),
    Buffer.alloc(255, 'x'),
    Buffer.alloc(256, 'x'),
    Buffer.from('two\nlines'),
    Buffer.from('\ufffd'),
    Buffer.alloc(10, 'x')
  )
)
const message: fc.Arbitrary<OutgoingMessage> = fc
  .record(
    {
      body: fc.oneof(
        { weight: 8, arbitrary: body },
        {
          weight: 1,
          arbitrary: fc.constantFrom<OutgoingMessage['body']>(
            { kind: 'value', value: { type: 'string', value: 'v' } },
            { kind: 'value', value: { type: 'uuid', value: '00000000-0000-0000-0000-000000000000' } },
            { kind: 'sequence', sections: [[{ type: 'uint', value: 4_000_000_000 }, { type: 'null' }]] }
          )
        }
      )
    },
    { requiredKeys: ['body'] }
  )
  .chain(({ body }) =>
    fc.record({
      body: fc.constant(body),
      properties: fc.constantFrom(
        { contentType: 'application/json' },
        { contentType: 'application/json' },
        { contentType: 'text/plain' },
        { subject: 'n' },
        undefined
      )
    })
  )
// Often the same several times, as in a real stream; now and then something that is no AMQP message.
const entries = fc
  .array(
    fc.tuple(
      fc.oneof(
        { weight: 9, arbitrary: message.map(bytesOf) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) }
      ),
      fc.integer({ min: 1, max: 3 })
    ),
    { maxLength: 8 }
  )
  .map((repeated) => repeated.flatMap(([bytes, times]) => Array.from({ length: times }, () => bytes)))

t.test('a body that looks like the end of a message is not taken for one', async (t) => {
  // A data section whose bytes end with a data section of the same length, and a section after it.
  const tail = Buffer.from([0x00, 0x53, 0x78, 0xc1, 0x01, 0x00])
  const fake = Buffer.concat([Buffer.from([0x00, 0x53, 0x75, 0xa0, 11 + tail.length]), Buffer.alloc(11, 'f')])
  const outer = Buffer.concat([Buffer.from([0x00, 0x53, 0x75, 0xa0, 1 + fake.length]), Buffer.from('p'), fake, tail])
  const { run, messages } = runOf([outer, outer])
  t.equal(
    batchToJsonText([run], 'auto', '|'),
    messages.map((each) => messageToJsonText(each, 'auto')).join('|'),
    'a part of the body has the length of all that follows'
  )
  t.match(batchToJsonText([run], 'auto', '|'), '"body":"p')
})

t.test('a batch is printed as its messages are, one by one', async (t) => {
  for (const encoding of ['auto', 'json', 'text', 'base64'] as const) {
    fc.assert(
      fc.property(entries, (bytes) => {
        const { run, messages } = runOf(bytes)
        return (
          batchToJsonText([run], encoding, '|') === messages.map((each) => messageToJsonText(each, encoding)).join('|')
        )
      }),
      { numRuns: 2000 }
    )
  }
  t.equal(batchToJsonText([], 'auto', ','), '')
})

t.test('runs and unreadable pieces keep their order', async (t) => {
  const { run, messages } = runOf([Buffer.from('a'), Buffer.from('b')])
  t.equal(batchToJsonText([run, unreadable, run], 'auto', '\n'),
    [...messages, unreadable, ...messages].map((each) => messageToJsonText(each, 'auto')).join('\n'))
  t.equal(linesOf([run, unreadable, run], pool).bytes.toString(), 'a\nb\npacked\na\nb\n')
})

t.test('lines are the bodies one by one, up to the first that is none', async () => {
  fc.assert(fc.property(entries, entries, (some, others) => {
    const first = runOf(some)
    const second = runOf(others, 1000)
    let expected = ''
    let stoppedAt: number | undefined
    for (const each of [...first.messages, ...second.messages]) {
      const line = Buffer.from(lineBody(each)).toString('latin1')
      if (line.includes('\n')) {
        stoppedAt = each.offset
        break
      }
      expected += `${line}\n`
    }
    const lines = linesOf([first.run, second.run], pool)
    return lines.bytes.toString('latin1') === expected && lines.stoppedAt === stoppedAt
  }), { numRuns: 5000 })
})

function bytesOf (message: OutgoingMessage): Buffer {
  return Buffer.from(stored(message).bytes)
}

// With something before and after it, as in a chunk.
function runOf (bodies: readonly Buffer[], offset = 10): { run: EntryRun, messages: ReadMessage[] } {
  const around = Buffer.from('\n{around}\n')
  const parts = bodies.flatMap((bytes) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes.length)
    return [length, bytes]
  })
  const data = Buffer.concat([around, ...parts, around])
  return {
    run: {
      kind: 'run',
      offset,
      timestamp: 1_738_324_800_000,
      data,
      start: around.length,
      end: data.length - around.length,
      count: bodies.length
    },
    messages: bodies.map((bytes, index) => ({
      kind: 'entry',
      offset: offset + index,
      timestamp: 1_738_324_800_000,
      bytes
    }))
  }
}
