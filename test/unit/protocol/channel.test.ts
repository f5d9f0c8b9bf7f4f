import t from 'tap'
import { once } from 'node:events'
import { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Channel } from '../../../src/streams/protocol/channel.ts'
import { deleteStream } from '../../../src/streams/protocol/commands/delete-stream.ts'
import { storeOffset } from '../../../src/streams/protocol/commands/store-offset.ts'
import { answerFrame, frame } from './scripted-broker.ts'

/** A socket that records its writes to the operating system, or never completes them. */
class CountingSocket extends Socket {
  readonly writes: Buffer[] = []
  readonly #takesWrites: boolean

  constructor (takesWrites = true) {
    super()
    this.#takesWrites = takesWrites
  }

  override _write (chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.writes.push(chunk)
    if (this.#takesWrites) done()
  }

  override _writev (chunks: Array<{ chunk: Buffer }>, done: () => void): void {
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', done)
  }

  override _read (): void {}
}

function channelOn (socket: Socket): Channel {
  return new Channel({ socket, onData (listener) { socket.on('data', listener) } })
}

const offset = { reference: 'r', stream: 's', offset: 1n }

t.test('the commands of one turn of the event loop share one write', async (t) => {
  const socket = new CountingSocket()
  const channel = channelOn(socket)
  t.teardown(() => { socket.destroy() })
  channel.send(storeOffset, offset)
  await Promise.resolve() // a microtask later is the same turn
  channel.send(storeOffset, offset)
  process.nextTick(() => { channel.send(storeOffset, offset) })
  await new Promise<void>((resolve) => { process.nextTick(resolve) })
  t.equal(socket.writes.length, 0)
  await nextTurn()
  t.equal(socket.writes.length, 1)
  t.equal(socket.writes[0]?.length, 3 * (4 + 2 + 2 + 3 + 3 + 8))
  channel.send(storeOffset, offset)
  await nextTurn()
  t.equal(socket.writes.length, 2)
})

t.test('the pieces of a frame are written without being joined or copied', async (t) => {
  const socket = new CountingSocket()
  t.teardown(() => { socket.destroy() })
  const pieces: Buffer[] = []
  socket._writev = (chunks, done) => {
    for (const { chunk } of chunks) pieces.push(chunk)
    done()
  }
  const channel = channelOn(socket)
  const entries = [Buffer.from('one'), Buffer.from('two')]
  channel.writeFrame(frame('heartbeat'), entries)
  await nextTurn()
  t.equal(pieces.length, 3)
  t.equal(pieces[1], entries[0])
  t.equal(pieces[2], entries[1])
})

t.test('a peer that no longer takes bytes does not keep the socket for ever', async (t) => {
  const socket = new CountingSocket(false)
  const channel = channelOn(socket)
  const answered = channel.request(deleteStream, { stream: 's' }, 0)
  const closed = once(socket, 'close')
  socket.emit('data', frame('close', (writer) => writer.u32(1).u16(1).string('bye')))
  await t.rejects(answered, { name: 'ConnectionClosedError', closedBy: 'peer' })
  t.equal(socket.destroyed, false, 'the answer to Close still waits to be written')
  await closed
  t.equal(socket.destroyed, true)
})

t.test('concurrent requests have different correlation ids', async (t) => {
  const socket = new CountingSocket()
  t.teardown(() => { socket.destroy() })
  const channel = channelOn(socket)
  const first = channel.request(deleteStream, { stream: 'a' }, 0)
  const second = channel.request(deleteStream, { stream: 'b' }, 0)
  socket.emit('data', Buffer.concat([answerFrame('deleteStream', 2), answerFrame('deleteStream', 1, 2)]))
  await second
  await t.rejects(first, { responseCode: 2, message: /streamDoesNotExist/ })
})
