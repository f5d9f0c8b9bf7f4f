import t from 'tap'
import { exactly } from '../support/exactly.ts'
import { startPushGateway } from '../support/push-gateway.ts'
import { list, record, withoutReferences } from '../support/schema-values.ts'

// Bodies of many values are checked up to their first error: see src/plugins/first-error.ts.

const gateway = await startPushGateway(t)

/** The operations with a body of JSON that is not messages. What a patch results in is checked, not the patch. */
function operations (): Array<{ method: 'PUT' | 'POST', path: string }> {
  const document = record(withoutReferences(gateway.app.swagger()))
  return Object.entries(record(document['paths'])).flatMap(([path, item]) => {
    return Object.entries(record(item)).flatMap(([method, operation]) => {
      const types = Object.keys(record(record(record(operation)['requestBody'])['content']))
      const isSmall = types.includes('application/json') && !types.includes('application/x-ndjson')
      const name = method.toUpperCase()
      if (!isSmall || (name !== 'PUT' && name !== 'POST')) return []
      return [{ method: name, path: path.replaceAll(/\{\w+\}/g, 'none') }]
    })
  })
}

const unknown = (count: number): object => Object.fromEntries(Array.from({ length: count }, (_, n) => [`x${n}`, {}]))

t.test('each operation tells all errors of a few values, and the first one of many', async (t) => {
  const found = operations()
  t.ok(found.length >= 9, found.map(({ path }) => path).join(' '))
  for (const { method, path } of found) {
    const [few, many] = await Promise.all([5, 1000].map(async (count) => {
      const { status, json } = await gateway.request(method, path, { json: unknown(count) })
      t.equal(status, 400, `${method} ${path}`)
      return list(record(json)['errors']).length
    }))
    t.ok(Number(few) >= 5 && many === 1, `${method} ${path}: ${few} errors, ${many} error`)
  }
})

t.test('a body of many values that are right is taken', async (t) => {
  const offsets = Object.fromEntries(Array.from({ length: 1000 }, (_, n) => [`none-${n}`, n]))
  const path = '/v1/super-streams/none/consumers/c/offset'
  t.match(await gateway.request('PUT', path, { json: { offsets } }), { status: 404 })
  const { status, json } = await gateway.request('PUT', path, { json: { offsets: { ...offsets, 'none-900': -1 } } })
  t.match({ status, json }, { status: 400, json: { errors: exactly({ pointer: '/offsets/none-900' }) } })
})
