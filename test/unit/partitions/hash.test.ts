import { createRequire } from 'node:module'
import t from 'tap'
import fc from 'fast-check'
import { hashOf } from '../../../src/streams/partitions/hash.ts'

// The JavaScript client does not export its hash.
const { murmur32 }: { murmur32: (key: string) => number } =
  createRequire(import.meta.url)('rabbitmq-stream-js-client/dist/hash/murmur32.js')

t.test('a key has the hash that every client of RabbitMQ gives it', async (t) => {
  const hashes: ReadonlyArray<readonly [key: string, hash: number, modulo3: number]> = [
    ['', 3329588566, 1],
    ['a', 1086686554, 1],
    ['ab', 398604456, 0],
    ['abc', 3409700625, 0],
    ['abcd', 3421720556, 2],
    ['hello', 1321743225, 0],
    ['order-1', 828619386, 0],
    ['customer-42', 80594573, 2],
    ['Zürich', 2282035033, 1],
    ['日本', 2230178032, 1],
    ['🚀', 3236973107, 2]
  ]
  for (const [key, hash, modulo3] of hashes) {
    t.equal(hashOf(key), hash, key)
    t.equal(hashOf(key) % 3, modulo3, key)
  }
})

t.test('the JavaScript client agrees on any key', async () => {
  const keys = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ maxLength: 2000 }), fc.uuid(), fc.integer().map(String)
  )
  fc.assert(fc.property(keys, (key) => hashOf(key) === murmur32(key)), { numRuns: 2000 })
})
