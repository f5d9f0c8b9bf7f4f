import { createHash } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { crc32 } from '../../../src/access/keys/crc32.ts'
import { hashOfKey, idOfKey, KEY_LENGTH, makeKey } from '../../../src/access/keys/key.ts'

t.test('the CRC is the usual one', async (t) => {
  t.equal(crc32('123456789'), 0xcbf43926)
  t.equal(crc32('The quick brown fox jumps over the lazy dog'), 0x414fa339)
  t.equal(crc32(''), 0)
})

t.test('a key has its form, its id and a right checksum', async (t) => {
  for (let index = 0; index < 1000; index++) {
    const { id, key } = makeKey()
    t.match(key, /^sgw_[0-9a-z]{8}_[0-9A-Za-z]{49}$/)
    t.equal(key.length, KEY_LENGTH)
    t.equal(idOfKey(key), id)
  }
})

t.test('a known key stays valid', async (t) => {
  // Made by another program: crc32 of Python's zlib, in base 62 with the digits before the letters.
  t.equal(idOfKey('sgw_k7f3a9c2_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2B70CZ'), 'k7f3a9c2')
})

t.test('keys use their whole alphabet and do not repeat', async (t) => {
  const keys = Array.from({ length: 2000 }, () => makeKey())
  t.equal(new Set(keys.map(({ key }) => key)).size, keys.length)
  t.equal(new Set(keys.map(({ id }) => id)).size, keys.length)
  const counts = new Map<string, number>()
  for (const character of keys.map(({ key }) => key.slice(13, 56)).join('')) {
    counts.set(character, (counts.get(character) ?? 0) + 1)
  }
  t.equal(counts.size, 62)
  // 86,000 characters, 1387 of each on the average with a deviation of 37: eight of them is never.
  for (const [character, count] of counts) t.ok(Math.abs(count - 1387) < 300, character)
})

t.test('a key with one character changed, missing or too much is known to be wrong', async (t) => {
  const { key } = makeKey()
  const alphabet = fc.constantFrom(...'0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- \n')
  fc.assert(
    fc.property(fc.nat(KEY_LENGTH - 1), alphabet, (at, character) => {
      const changed = key.slice(0, at) + character + key.slice(at + 1)
      t.equal(idOfKey(changed) === undefined, changed !== key)
      t.equal(idOfKey(key.slice(0, at) + key.slice(at + 1)), undefined)
      t.equal(idOfKey(key.slice(0, at) + character + key.slice(at)), undefined)
    })
  )
  for (const text of ['', 'sgw_', `${key}\n`, ` ${key}`, key.toUpperCase()]) t.equal(idOfKey(text), undefined)
})

t.test('the hash is the SHA-256 of the whole key', async (t) => {
  const { key } = makeKey()
  t.equal(hashOfKey(key), createHash('sha256').update(key).digest('hex'))
})
