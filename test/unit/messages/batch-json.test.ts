import fc from 'fast-check'
import t from 'tap'
import { BufferPool } from '../../../src/text/buffer-pool.ts'
import { batchSlices, lineBody, linesOf, messageToJsonText } from '../../../src/messages/index.ts'
import type { Lines, ReadEncoding } from '../../../src/messages/index.ts'
import type { EntryRun, OutgoingMessage, ReadMessage, ReadPiece } from '../../../src/streams/index.ts'
import { jsonOnOneLine } from '../../../src/messages/raw.ts'
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
  // A body that ends with the header of a data section, whose length covers the two empty sections after the body too.
  const after = Buffer.from([0x00, 0x53, 0x70, 0x45, 0x00, 0x53, 0x73, 0x45])
  const dataHeader = (length: number) => Buffer.from([0x00, 0x53, 0x75, 0xa0, length])
  const body = Buffer.concat([Buffer.from('ppp'), dataHeader(19), Buffer.alloc(11, 'f')])
  const bytes = Buffer.concat([dataHeader(body.length), body, after])
  const { run, messages } = runOf([bytes, bytes])
  t.equal(batchText([run], 'auto', '|'), messages.map((each) => messageToJsonText(each, 'auto')).join('|'))
})

t.test('a batch is printed as its messages are, one by one', async (t) => {
  for (const encoding of ['auto', 'json', 'text', 'base64'] as const) {
    fc.assert(
      fc.property(entries, (bytes) => {
        const { run, messages } = runOf(bytes)
        return (
          batchText([run], encoding, '|') === messages.map((each) => messageToJsonText(each, encoding)).join('|')
        )
      }),
      { numRuns: 2000 }
    )
  }
  t.equal(batchText([], 'auto', ','), '')
})

t.test('runs and unreadable pieces keep their order', async (t) => {
  const { run, messages } = runOf([Buffer.from('a'), Buffer.from('b')])
  t.equal(batchText([run, unreadable, run], 'auto', '\n'),
    [...messages, unreadable, ...messages].map((each) => messageToJsonText(each, 'auto')).join('\n'))
  t.equal(wholeLines([run, unreadable, run]).bytes.toString(), 'a\nb\npacked\na\nb\n')
})

t.test('lines are the bodies one by one, up to the first that is none', async () => {
  fc.assert(fc.property(entries, entries, (some, others) => {
    const first = runOf(some)
    const second = runOf(others, 1000)
    let expected = ''
    let stoppedAt: number | undefined
    for (const each of [...first.messages, ...second.messages]) {
      const body = lineBody(each)
      const json = body.includes(0x0a) ? jsonOnOneLine(Buffer.from(each.bytes), body) : undefined
      const line = Buffer.from(json ?? body).toString('latin1')
      if (line.includes('\n')) {
        stoppedAt = each.offset
        break
      }
      expected += `${line}\n`
    }
    const lines = wholeLines([first.run, second.run])
    return lines.bytes.toString('latin1') === expected && lines.stoppedAt === stoppedAt
  }), { numRuns: 5000 })
})

function batchText (pieces: readonly ReadPiece[], encoding: ReadEncoding, between: string): string {
  return [...batchSlices(pieces, encoding, between)].map(({ text }) => text).join('')
}

function wholeLines (pieces: readonly ReadPiece[]): Lines {
  const steps = linesOf(pieces, pool)
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
}

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
