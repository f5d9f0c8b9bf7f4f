import fc from 'fast-check'
import t from 'tap'
import { asciiProperties, type AmqpMap } from '../../../src/streams/amqp/index.ts'
import { sectionsOf } from '../../../src/streams/message-batch.ts'

const ascii = (maxLength: number) => fc.string({ unit: 'binary-ascii', maxLength })

/** The same section as every message is encoded. */
function encoded (properties: ReadonlyArray<readonly [string, string]>): Buffer {
  const applicationProperties: AmqpMap = properties.map(([name, value]) =>
    [{ type: 'string', value: name }, { type: 'string', value }])
  return sectionsOf({ applicationProperties })
}

t.test('the section is the one that a message is encoded with', async (t) => {
  fc.assert(fc.property(
    fc.array(fc.tuple(ascii(300), ascii(600)), { minLength: 1, maxLength: 4 }),
    (properties) => asciiProperties(properties).equals(encoded(properties))
  ))
  // Around the lengths at which texts and maps take more bytes for their size.
  for (let length = 225; length <= 262; length++) {
    const properties = [['traceparent', 'x'.repeat(length)]] as const
    t.ok(asciiProperties(properties).equals(encoded(properties)), `${length} characters`)
  }
})
