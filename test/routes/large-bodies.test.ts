import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startGateway } from '../support/gateway.ts'
import { list, record } from '../support/schema-values.ts'

// Bodies that name many partitions are checked up to their first error: see src/plugins/first-error.ts.

const gateway = await startGateway(t)

const OPERATIONS = [
  ['PUT', '/v1/super-streams/none', 'bindingKeys'],
  ['PUT', '/v1/super-streams/none/consumers/c/offset', 'offsets'],
  ['POST', '/v1/super-streams/none/consumers/c/offset/reset', 'partitions']
] as const

t.test('all errors of a few values are told, and the first one of many', async (t) => {
  for (const [method, path, member] of OPERATIONS) {
    for (const [count, told] of [[5, 5], [1000, 1]] as const) {
      const entries = Array.from({ length: count }, (_, n) => [`none-${n}`, { wrong: 1 }])
      const bad = member === 'bindingKeys' ? entries.map(([, value]) => value) : Object.fromEntries(entries)
      const { status, json } = await gateway.request(method, path, { json: { [member]: bad } })
      t.equal(status, 400)
      const errors = list(record(json)['errors'])
      t.ok(told === 1 ? errors.length === 1 : errors.length >= told, `${method} ${path}: ${errors.length} errors`)
      t.match(record(errors[0])['pointer'], new RegExp(`^/${member}/`))
    }
  }
})

t.test('a body of more values than any request has is refused by each operation', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 4000 }, (_, n) => [`${n}`, 1]))
  for (const [method, path] of [...OPERATIONS, ['PUT', '/v1/streams/none'] as const]) {
    const { status, json } = await gateway.request(method, path, { json: many })
    const errors = exactly({ pointer: '', message: /4000 values/ })
    t.match({ status, json }, { status: 400, json: { code: 'validation_failed', errors } }, `${method} ${path}`)
  }
})

t.test('a body of many values that are right is taken', async (t) => {
  const offsets = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`none-${n}`, n]))
  const path = '/v1/super-streams/none/consumers/c/offset'
  t.match(await gateway.request('PUT', path, { json: { offsets } }), { status: 404 })
  const { status, json } = await gateway.request('PUT', path, { json: { offsets: { ...offsets, 'none-900': -1 } } })
  t.match({ status, json }, { status: 400, json: { errors: exactly({ pointer: '/offsets/none-900' }) } })
})
