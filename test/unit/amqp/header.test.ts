import t from 'tap'
import { decodeMessage } from '../../../src/streams/amqp/index.ts'
import type { AmqpValue } from '../../../src/streams/amqp/index.ts'
import { peerEncode } from './rhea-peer.ts'

t.test('a header with other whole numbers is read, and one with other values is not a message', async t => {
  const withHeader = (...fields: AmqpValue[]) =>
    Buffer.concat([Buffer.from([0x00, 0x53, 0x70]), peerEncode({ type: 'list', value: fields })])
  t.same(
    decodeMessage(withHeader({ type: 'null' }, { type: 'uint', value: 4 }, { type: 'ulong', value: 60_000n })).header,
    { priority: 4, ttlMs: 60_000 }
  )
  t.same(decodeMessage(withHeader()).header, {})
  for (const field of [{ type: 'string' as const, value: 'yes' }, { type: 'int' as const, value: 1 }]) {
    t.throws(() => decodeMessage(withHeader(field)), { name: 'AmqpDecodeError' }, `durable as a ${field.type}`)
  }
  for (const field of [{ type: 'int' as const, value: -1 }, { type: 'uint' as const, value: 256 }]) {
    t.throws(() => decodeMessage(withHeader({ type: 'null' }, field)), { name: 'AmqpDecodeError' }, `${field.value}`)
  }
})
