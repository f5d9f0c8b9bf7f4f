import t from 'tap'
import { StreamsError } from '../../../src/streams/errors.ts'
import {
  cursorSuffix, decodeCursor, encodeCursor, keyOf, keyTextOf, nameOf
} from '../../../src/streams/merging/cursor.ts'

const MAX = Number.MAX_SAFE_INTEGER
const place = (name: string, nextOffset: number, of = 'orders') => ({ key: keyOf(of, name), nextOffset })
const random = (below: number) => Math.floor(Math.random() * below)

t.test('a cursor comes back as it was given, whatever the names and offsets', async (t) => {
  const names = [
    'orders-0', 'orders-9', 'orders-102', 'orders-99999', 'orders-100000', 'orders-00', 'orders-eu', 'orders-北',
    'orders-north-west', `orders-${'x'.repeat(24)}`, `orders-${'x'.repeat(25)}`, `orders-${'x'.repeat(190)}`, 'orders-',
    'elsewhere', 'orders-\u0000'
  ]
  for (let round = 0; round < 300; round++) {
    const chosen = names.filter(() => Math.random() < 0.6)
    const places = chosen.map((name) => place(name, random(2) === 0 ? random(300) : Math.floor(MAX / 2 ** random(53))))
    const cursor = { turn: random(1000), places }
    const text = encodeCursor('orders', cursor)
    t.match(text, /^[A-Za-z0-9_-]+$/)
    t.same(decodeCursor('orders', text), cursor)
  }
  t.equal(new Set(names.map((name) => keyOf('orders', name))).size, names.length, 'each name has a key of its own')
})

t.test('a partition that is gone is named, unless its name is a long one', async (t) => {
  for (const name of ['orders-0', 'orders-63', 'orders-eu', 'orders-north-west']) {
    t.equal(nameOf('orders', keyOf('orders', name)), name)
  }
  t.equal(nameOf('orders', keyOf('orders', `orders-${'x'.repeat(60)}`)), undefined)
})

t.test('a cursor of 64 partitions fits a header and the id of an event', async (t) => {
  const of = (offset: number, name = (index: number) => `orders-${index}`) =>
    encodeCursor('orders', { turn: 63, places: Array.from({ length: 64 }, (_, i) => place(name(i), offset)) }).length
  t.ok(of(30_000_000_000) < 600, 'thirty billion messages each')
  t.ok(of(MAX) < 900, 'as many as there can be')
  t.ok(of(MAX, (index) => `orders-${'x'.repeat(180)}-${index}`) < 1400, 'of long names')
})

t.test('what is no cursor of the super stream is refused', async (t) => {
  const good = encodeCursor('orders', { turn: 1, places: [place('orders-0', 300), place('orders-eu', 4)] })
  const isRefused = (text: string, of = 'orders'): void => {
    try {
      decodeCursor(of, text)
      t.fail(`${text.slice(0, 80)} was taken`)
    } catch (error) {
      t.equal(error instanceof StreamsError && error.code, 'cursor_invalid')
    }
  }
  decodeCursor('orders', good)
  isRefused(good, 'invoices')
  isRefused(`${good}=`)
  isRefused(` ${good}`)
  for (let length = 0; length < good.length; length++) isRefused(good.slice(0, length))
  for (const text of ['', '0', '17', 'first', '%', '\u0000', 'ä'.repeat(100), 'A'.repeat(16), 'A'.repeat(1_000_000)]) {
    isRefused(text)
  }
  const bytes = Buffer.from(good, 'base64url')
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const other = Buffer.from(bytes)
    other[bit >> 3] = (other[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    isRefused(other.toString('base64url'))
  }
  const twice = { turn: 0, places: [place('orders-0', 1), place('orders-0', 2)] }
  isRefused(encodeCursor('orders', twice))
  isRefused(encodeCursor('orders', { turn: 0, places: [place('orders-0', MAX + 1)] }))
  isRefused(encodeCursor('orders', { turn: 1e9, places: [] }))
})

t.test('random bytes never do more than be refused', async (t) => {
  let taken = 0
  for (let round = 0; round < 2000; round++) {
    const text = Buffer.from(Array.from({ length: random(200) }, () => random(256))).toString('base64url')
    try {
      decodeCursor('orders', text)
      taken++
    } catch (error) {
      if (!(error instanceof StreamsError)) throw error
    }
  }
  t.equal(taken, 0)
})

t.test('a cursor with a suffix is the same one with another place in one partition', async (t) => {
  const places = ['orders-0', 'orders-eu', `orders-${'x'.repeat(60)}`].map((name) => place(name, random(1000)))
  const text = encodeCursor('orders', { turn: 0, places })
  for (const { key } of places) {
    for (const nextOffset of [0, 1, 4711, MAX]) {
      const moved = places.map((place) => place.key === key ? { key, nextOffset } : place)
      t.same(decodeCursor('orders', text + cursorSuffix(keyTextOf(key), nextOffset)), { turn: 0, places: moved })
    }
  }
  const key = keyTextOf(keyOf('orders', 'orders-0'))
  const other = keyTextOf(keyOf('orders', 'orders-1'))
  for (const suffix of [
    '.', '..', `.${key}`, `.${key}.`, `.${key}.1.2`, `.${key}.01`, `.${key}.-1`, `.${key}.1e3`, `.${key}.${MAX + 1}`,
    `.${other}.1`, `.${key}=.1`, `.${key}. 1`, '..1'
  ]) {
    t.throws(() => decodeCursor('orders', text + suffix), { code: 'cursor_invalid' }, suffix)
  }
})
