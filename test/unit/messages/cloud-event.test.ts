import t from 'tap'
import { addEvent } from '../../../src/messages/cloudevents/event.ts'
import { MessageBatch } from '../../../src/streams/index.ts'

const REQUIRED: ReadonlyArray<readonly [string, string]> =
  [['specversion', '1.0'], ['id', '1'], ['source', '/a'], ['type', 'b']]
const SMALL_LONG = 0x55
const LONG = 0x81

t.test('a number is stored as a long: the AMQP binding is strict about what is sent', async (t) => {
  const numbers = [[-5, [SMALL_LONG, 0xfb]], [2 ** 31 - 1, [LONG, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff]]] as const
  for (const [value, stored] of numbers) {
    const batch = new MessageBatch()
    const attributes = new Map<string, string | number>([...REQUIRED, ['count', value]])
    addEvent({ attributes, data: Buffer.from('x') }, { batch, frameMaxBytes: 1000 }, {
      index: 0, publishingId: undefined, pointerOf: (name) => name
    })
    const wanted = Buffer.concat([Buffer.from('cloudEvents_count'), Buffer.from(stored)])
    t.ok(batch.records(0, 1).includes(wanted), `${value}`)
  }
})
