import t from 'tap'
import { isMessageWrite, written } from './support.ts'

const UUID = 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6'
const parse = (json: unknown) => written(json, '/messages/3')

t.test('every section around the body is written', async t => {
  const { message } = parse({
    body: 1,
    header: { durable: false, priority: 0, ttlMs: 4294967295, firstAcquirer: true, deliveryCount: 3 },
    deliveryAnnotations: { 'x-hop': 1 },
    footer: { 'x-sum': { $type: 'binary', value: 'AAE=' } }
  })
  t.same(message.header, { durable: false, priority: 0, ttlMs: 4294967295, firstAcquirer: true, deliveryCount: 3 })
  t.same(message.deliveryAnnotations, [[{ type: 'symbol', value: 'x-hop' }, { type: 'int', value: 1 }]])
  t.same(message.footer, [[{ type: 'symbol', value: 'x-sum' }, { type: 'binary', value: Buffer.from([0, 1]) }]])
  t.equal(parse({ body: 1, header: {} }).message.header, undefined)
  for (const header of [{ ttl: 1 }, { ttlMs: -1 }, { ttlMs: 4294967296 }, { priority: 256 }, { durable: 'yes' }]) {
    t.notOk(isMessageWrite({ body: 1, header }), JSON.stringify(header))
  }
})

t.test('application properties are simple values; the message says what is not', async t => {
  const { message } = parse({ body: 1, applicationProperties: { a: null, b: { $type: 'uuid', value: UUID }, c: 1.5 } })
  t.equal(message.applicationProperties?.length, 3)
  t.throws(() => parse({ body: 1, applicationProperties: { tags: ['a', 'b'] } }), { message: /not a list/ })
})

t.test('digits are a time only where the year needs them, and say what they would mean elsewhere', async t => {
  const time = (creationTime: string) =>
    parse({ body: 1, properties: { creationTime } }).message.properties?.creationTime
  t.equal(time('253402300800000'), 253402300800000n)
  t.equal(time('-62167219200001'), -62167219200001n)
  t.equal(time('9999-12-31T23:59:59.9999Z'), 253402300800000n)
  for (const digits of ['0', '-1', '1738324800', '1738324800000', '253402300799999', '-62167219200000']) {
    t.throws(() => time(digits), { name: 'MessageFormatError', message: /would mean \d{4}-\d\d-\d\dT/ }, digits)
  }
})
