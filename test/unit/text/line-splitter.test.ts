import fc from 'fast-check'
import t from 'tap'
import { ByteCollector } from '../../../src/text/byte-collector.ts'
import { LineSplitter } from '../../../src/text/line-splitter.ts'

function split (chunks: readonly Buffer[], maxLineBytes = 1000): string[] {
  const splitter = new LineSplitter(maxLineBytes)
  // Copied at once: what is returned is only good until the next chunk.
  const lines = chunks.flatMap((chunk) => allOf(splitter, chunk).map((line) => line.toString('latin1')))
  const last = splitter.end()
  return last === undefined ? lines : [...lines, last.toString('latin1')]
}

t.test('lines are the same however the bytes are cut into chunks', async (t) => {
  const bytes = fc
    .uint8Array({ maxLength: 60 })
    .map((bytes) => Buffer.from(bytes.map((byte) => (byte % 4 === 0 ? 0x0a : byte))))
  fc.assert(
    fc.property(bytes, fc.array(fc.nat(60), { maxLength: 10 }), (body, cuts) => {
      const at = [0, ...cuts.map((cut) => Math.min(cut, body.length)).sort((a, b) => a - b), body.length]
      const chunks = at.slice(1).map((end, index) => body.subarray(at[index], end))
      const expected = body.toString('latin1').split('\n')
      if (expected.at(-1) === '') expected.pop()
      t.same(split(chunks), expected)
    })
  )
})

function allOf (splitter: LineSplitter, chunk: Buffer): Buffer[] {
  const lines = splitter.push(chunk)
  while (splitter.hasMore) lines.push(...splitter.more())
  return lines
}

t.test('a chunk of many short lines comes in parts', async (t) => {
  const splitter = new LineSplitter(10)
  const lines = Array.from({ length: 10_000 }, (_, n) => String(n))
  const chunk = Buffer.from(`${lines.join('\n')}\nrest`)
  t.ok(splitter.push(chunk).length < 5000)
  t.ok(splitter.hasMore)
  t.same(split([chunk]), [...lines, 'rest'])
})

t.test('the last line needs no line feed, and a carriage return belongs to its line', async (t) => {
  t.same(split([Buffer.from('a\nb')]), ['a', 'b'])
  t.same(split([Buffer.from('a\r\nb\r\n')]), ['a\r', 'b\r'])
  t.same(split([Buffer.from('\n\n')]), ['', ''])
  t.same(split([]), [])
})

t.test('a line that is too long ends it, and those before it are there', async (t) => {
  const splitter = new LineSplitter(3)
  t.same(splitter.push(Buffer.from('abc\nabcd\nx\n')).map(String), ['abc'])
  t.ok(splitter.isTooLong)
  t.equal(splitter.end(), undefined)

  const slow = new LineSplitter(3)
  for (const byte of 'abc') t.same(slow.push(Buffer.from(byte)), [])
  t.notOk(slow.isTooLong)
  slow.push(Buffer.from('d'))
  t.ok(slow.isTooLong)
})

t.test('collected bytes are the bytes that came', async (t) => {
  const collector = new ByteCollector()
  const chunks = Array.from({ length: 3000 }, (_, index) => Buffer.from(`${index},`))
  for (const chunk of chunks) collector.append(chunk)
  t.same(collector.take(), Buffer.concat(chunks))
  t.equal(collector.take().length, 0, 'and only once')
})
