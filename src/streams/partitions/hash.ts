// What all clients of RabbitMQ streams that route by hash have in common, apart from rstream (Python).
const SEED = 104_729
const C1 = 0xcc9e2d51
const C2 = 0x1b873593
// Keys of at most a third as many UTF-16 units fit.
const scratch = Buffer.allocUnsafe(1024)

/**
 * The hash by which a routing key finds its partition: MurmurHash3 (x86, 32 bits) of its UTF-8, unsigned. The partition
 * is the one at `hash % number of partitions` in the order of the broker. Takes about 100 ns.
 */
export function hashOf (key: string): number {
  if (key.length * 3 > scratch.length) {
    const bytes = Buffer.from(key)
    return hash(bytes, bytes.length)
  }
  return hash(scratch, scratch.write(key))
}

function hash (bytes: Buffer, length: number): number {
  let result = SEED
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    const block = bytes.readInt32LE(at)
    result ^= scrambled(block)
    result = (result << 13) | (result >>> 19)
    result = (Math.imul(result, 5) + 0xe6546b64) | 0
  }
  if (whole < length) result ^= scrambled(bytes.readUIntLE(whole, length - whole))
  return finished(result ^ length)
}

function scrambled (block: number): number {
  const product = Math.imul(block, C1)
  return Math.imul((product << 15) | (product >>> 17), C2)
}

function finished (result: number): number {
  let mixed = result
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
