import { gunzipSync } from 'node:zlib'
import t from 'tap'
import { ByteBudget } from '../../../src/streams/common/budget.ts'
import { Lease } from '../../../src/streams/common/lease.ts'
import { StreamsError } from '../../../src/streams/errors.ts'
import { MessageBatch } from '../../../src/streams/message-batch.ts'
import { Compressor } from '../../../src/streams/publishing/compressor.ts'
import { BatchOutcome } from '../../../src/streams/publishing/outcome.ts'
import { Pack } from '../../../src/streams/publishing/pack.ts'
import { SubEntry } from '../../../src/streams/publishing/sub-entry.ts'
import { exactly } from '../../support/exactly.ts'

const KIB = 1024

function batchOf (...bodies: string[]): MessageBatch {
  const batch = new MessageBatch()
  for (const body of bodies) batch.addData(Buffer.from(body))
  return batch
}

function newPack (): Pack {
  return new Pack(Lease.of(new ByteBudget(1024 * KIB)))
}

t.test('a sub-entry batch is laid out as the protocol says, and is numbered in place', (t) => {
  const entry = new SubEntry('zstd', 3, 258, Buffer.from('abcd', 'hex'))
  entry.numberFrom(7)
  const header = '0000000000000007' + 'c0' + '0003' + '00000102' + '00000002'
  t.equal(entry.entries().toString('hex'), header + 'abcd')
  t.equal(entry.byteLength, 21)
  t.equal(new SubEntry('gzip', 1, 1, Buffer.alloc(1)).entries().readUInt8(8), 0x90)
  t.end()
})

t.test('the records of a batch are its messages without publishing ids', (t) => {
  const batch = batchOf('a', 'bc', 'd')
  t.equal(batch.records(1, 3).toString('hex'), '00000007' + '005375a0026263' + '00000006' + '005375a00164')
  t.end()
})

t.test('a pack takes a thousand messages, 256 KiB, or what fits into a frame', (t) => {
  const many = batchOf(...Array.from({ length: 1500 }, () => 'x'))
  t.equal(newPack().fits(many, 0, Infinity), 1000)
  t.equal(newPack().fits(many, 600, Infinity), 1500)
  const begun = newPack()
  begun.add(many, 0, 990)
  t.equal(begun.fits(many, 990, Infinity), 1000)
  begun.add(many, 990, 1000)
  t.equal(begun.fits(many, 1000, Infinity), 1000, 'it is full')
  const large = batchOf('x'.repeat(100 * KIB), 'x'.repeat(100 * KIB), 'x'.repeat(100 * KIB))
  t.equal(newPack().fits(large, 0, Infinity), 2)
  t.equal(newPack().fits(large, 0, 150 * KIB), 1)
  t.equal(newPack().fits(batchOf('x'.repeat(300 * KIB), 'x'), 0, Infinity), 1, 'a larger message is alone')
  t.end()
})

t.test('a pack becomes one entry of all its messages, or stays as it is when that is no smaller', async (t) => {
  const compressor = new Compressor()
  const pack = newPack()
  const batch = batchOf(...Array.from({ length: 100 }, (_, n) => `order ${n}`))
  pack.add(batch, 0, 60)
  pack.add(batch, 60, 100)
  const entry = await pack.entries('gzip', compressor, undefined)
  t.match(entry, { count: 1, messagesPerEntry: 100 })
  t.ok(entry.byteLength < batch.byteLength / 4)
  t.same(gunzipSync(entry.entries(0, 1).subarray(8 + 11)), batch.records(0, 100))
  const lone = newPack()
  lone.add(batchOf('x', 'yz'), 0, 2)
  const plain = await lone.entries('gzip', compressor, undefined)
  t.match(plain, { count: 2, messagesPerEntry: 1 })
  t.same(plain.entries(0, 2), batchOf('x', 'yz').entries(0, 2))
})

t.test('what nobody waits for is not compressed, and holds up nothing', async (t) => {
  const compressor = new Compressor()
  const bytes = Buffer.alloc(256 * KIB)
  const left = new AbortController()
  const wanted = [1, 2, 3].map(() => compressor.compress('gzip', bytes, undefined))
  const unwanted = compressor.compress('gzip', bytes, left.signal)
  const last = compressor.compress('gzip', bytes, undefined)
  left.abort()
  await t.rejects(unwanted, { code: 'caller_left' })
  for (const compressed of await Promise.all([...wanted, last])) t.same(gunzipSync(compressed), bytes)
})

t.test('all messages of an entry have its outcome', async (t) => {
  const error = new StreamsError('confirm_timeout', 'late')
  const stored = new BatchOutcome(1, 40, 3)
  stored.confirm(0)
  await stored.settled
  t.match(stored.result, { confirmed: 3, failures: exactly() })
  const lost = new BatchOutcome(1, 40, 3)
  lost.failRest('unknown', error)
  await lost.settled
  t.match(lost.result, {
    confirmed: 0, failures: exactly(...[40, 41, 42].map((index) => ({ index, status: 'unknown' as const, error })))
  })
})
