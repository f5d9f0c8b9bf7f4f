import t from 'tap'
import { encodePublishHeader } from '../../../src/streams/protocol/commands/publish.ts'
import { MessageBatch } from '../../../src/streams/index.ts'

t.test('a batch has entries of Publish v2 from its first filter value on', async (t) => {
  const batch = new MessageBatch(1)
  batch.addData(Buffer.from('a'))
  batch.addData(Buffer.from('b'), undefined, undefined, Buffer.from('é'))
  batch.addData(Buffer.from('c'))
  batch.numberFrom(5)
  t.same([0, 1, 2].map((index) => batch.versionOf(index)), [1, 2, 2])
  t.same([0, 1, 2].map((index) => batch.versionEnd(index)), [1, 3, 3])
  const id = (n: number) => n.toString(16).padStart(16, '0')
  const body = (letter: string) => '00000006' + '005375a001' + Buffer.from(letter).toString('hex')
  t.equal(batch.entries(0, 1).toString('hex'), id(5) + body('a'))
  t.equal(batch.entries(1, 3).toString('hex'), id(6) + '0002c3a9' + body('b') + id(7) + 'ffff' + body('c'))
  t.equal(batch.entryLength(1), 8 + 2 + 2 + 4 + 6)
  t.equal(encodePublishHeader(3, 2, 42, 2).toString('hex'), '00000033' + '0002' + '0002' + '03' + '00000002')
})

t.test('a batch without filter values is one of Publish v1', async (t) => {
  const batch = new MessageBatch()
  batch.addData(Buffer.from('a'))
  batch.add({ body: Buffer.from('b') })
  t.equal(batch.hasFilterValues, false)
  t.equal(batch.versionOf(1), 1)
  t.equal(batch.versionEnd(0), 2)
})
