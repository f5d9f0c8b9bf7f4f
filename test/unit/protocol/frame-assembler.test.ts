import t from 'tap'
import fc from 'fast-check'
import { FrameAssembler } from '../../../src/streams/protocol/frame-assembler.ts'

function assemble (maxFrameBytes = 1_000_000): { assembler: FrameAssembler, frames: string[] } {
  const frames: string[] = []
  const assembler = new FrameAssembler(maxFrameBytes, (buffer, start, end) => {
    frames.push(buffer.toString('hex', start, end))
  })
  return { assembler, frames }
}

function withSize (body: Uint8Array): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32BE(body.length)
  return Buffer.concat([size, body])
}

t.test('frames come out as they went in, wherever the reads cut them', async () => {
  const bodies = fc.array(fc.uint8Array({ minLength: 4, maxLength: 300 }), { maxLength: 20 })
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 200 })
  fc.assert(fc.property(bodies, cuts, (bodies, cuts) => {
    const { assembler, frames } = assemble()
    const bytes = Buffer.concat(bodies.map(withSize))
    let cut = 0
    for (let position = 0; position < bytes.length;) {
      const end = position + (cuts[cut++ % cuts.length] ?? 1)
      assembler.push(bytes.subarray(position, end))
      position = end
    }
    return frames.join() === bodies.map((body) => Buffer.from(body).toString('hex')).join()
  }))
})

t.test('a frame that lies in one read is not copied', async (t) => {
  const read = Buffer.concat([withSize(Buffer.from('first')), withSize(Buffer.from('second'))])
  const places: unknown[] = []
  const assembler = new FrameAssembler(100, (buffer, start, end) => { places.push(buffer === read, start, end) })
  assembler.push(read)
  t.same(places, [true, 4, 9, true, 13, 19])
})

t.test('a frame that spans reads is collected in a buffer of its size', async (t) => {
  const lengths: number[] = []
  const assembler = new FrameAssembler(10_000_000, (buffer, start, end) => {
    lengths.push(buffer.buffer.byteLength, start, end)
  })
  const frame = withSize(Buffer.alloc(300_000))
  assembler.push(frame.subarray(0, 65_536))
  assembler.push(frame.subarray(65_536))
  t.same(lengths, [300_000, 0, 300_000])
})

t.test('a large frame arrives whole although its buffer grows with it', async (t) => {
  const body = Buffer.alloc(9_000_000)
  for (let position = 0; position < body.length; position += 1000) body.writeUInt32BE(position, position)
  const frame = withSize(body)
  let isSame = false
  const assembler = new FrameAssembler(10_000_000, (buffer, start, end) => {
    isSame = buffer.subarray(start, end).equals(body)
  })
  for (let position = 0; position < frame.length; position += 65_536) {
    assembler.push(frame.subarray(position, position + 65_536))
  }
  t.equal(isSame, true)
})

t.test('a size alone allocates no more than a usual frame', async (t) => {
  const { assembler } = assemble(0xffff_ffff)
  const before = process.memoryUsage().arrayBuffers
  assembler.push(Buffer.from('f0000000' + '00', 'hex'))
  t.ok(process.memoryUsage().arrayBuffers - before < 4_000_000)
})

t.test('a size out of bounds is refused at once', async (t) => {
  for (const size of ['00000000', '00000003', '00000065', 'ffffffff']) {
    t.throws(() => { assemble(100).assembler.push(Buffer.from(size, 'hex')) }, { name: 'MalformedFrameError' }, size)
    const { assembler } = assemble(100)
    assembler.push(Buffer.from(size.slice(0, 6), 'hex'))
    const rest = Buffer.from(size.slice(6), 'hex')
    t.throws(() => { assembler.push(rest) }, { name: 'MalformedFrameError' }, `${size} in two reads`)
  }
  const { assembler, frames } = assemble(100)
  assembler.push(withSize(Buffer.alloc(100)))
  t.equal(frames.length, 1)
  t.throws(() => { assembler.push(withSize(Buffer.alloc(101))) }, { name: 'MalformedFrameError' })
})

t.test('the limit can be raised between two frames of one read', async (t) => {
  const sizes: number[] = []
  const assembler = new FrameAssembler(10, (_, start, end) => {
    sizes.push(end - start)
    assembler.maxFrameBytes = 100
  })
  assembler.push(Buffer.concat([withSize(Buffer.alloc(10)), withSize(Buffer.alloc(100))]))
  t.same(sizes, [10, 100])
})

t.test('no frame is passed on after stop', async (t) => {
  const frames: number[] = []
  const assembler = new FrameAssembler(100, (_, start) => {
    frames.push(start)
    assembler.stop()
  })
  assembler.push(Buffer.concat([withSize(Buffer.alloc(10)), withSize(Buffer.alloc(10))]))
  assembler.push(withSize(Buffer.alloc(10)))
  t.same(frames, [4])
})
