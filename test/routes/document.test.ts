import t from 'tap'
import { buildGateway } from '../support/gateway.ts'
import { list, record, withoutReferences, type Json } from '../support/schema-values.ts'

// What generators of clients and fuzzers need of the OpenAPI document. The clients themselves: test/clients/.

const app = await buildGateway()
t.teardown(async () => { await app.close() })
await app.ready()
const document = record(withoutReferences(app.swagger()))
const schemas = [...schemasIn(document)]
const operations = Object.entries(record(document['paths'])).flatMap(([path, item]) =>
  Object.values(record(item)).map((operation) => ({ path, operation: record(operation) })))

t.test('an integer that may exceed 32 bits says so', async (t) => {
  const integers = schemas.filter(({ type }) => type === 'integer')
  t.ok(integers.length > 20)
  for (const schema of integers) {
    const isSmall = Number(schema['maximum'] ?? Infinity) < 2 ** 31
    t.equal(schema['format'] === 'int64', !isSmall, JSON.stringify(schema))
  }
})

t.test('no schema has a list of types, and none a format that only this gateway knows', async (t) => {
  for (const { type, format } of schemas) {
    t.notOk(Array.isArray(type))
    t.ok([undefined, 'int64', 'date-time', 'uri-reference', 'binary'].includes(format?.toString()), String(format))
  }
})

t.test('what may be left out of a body has no default, which generators would make required', async (t) => {
  const properties = schemas.flatMap(({ properties }) => Object.values(record(properties))).map(record)
  t.ok(properties.length > 50)
  t.same(properties.filter((property) => 'default' in property), [])
  t.same(list(record(record(record(document['components'])['schemas'])['MessageWrite'])['required']), ['body'])
})

t.test('an answer has one media type, and one name for its schema', async (t) => {
  for (const { operation } of operations) {
    for (const [status, response] of Object.entries(record(operation['responses']))) {
      const types = Object.keys(record(record(response)['content']))
      const forPrograms = types.filter((type) => type !== 'text/html')
      t.ok(forPrograms.length <= 1, `${String(operation['operationId'])} ${status}: ${types.join(', ')}`)
      const { schema } = record(record(record(response)['content'])['application/json'])
      if (schema === undefined) continue
      t.type(record(schema)['$ref'], 'string', `${String(operation['operationId'])} ${status}`)
    }
  }
})

t.test('a link leads to an operation and fills parameters that it has', async (t) => {
  const byId = new Map(operations.map(({ operation }) => [operation['operationId'], operation]))
  const links = operations.flatMap(({ operation }) => Object.values(record(operation['responses'])))
    .flatMap((response) => Object.values(record(record(response)['links']))).map(record)
  t.ok(links.length > 10)
  for (const { operationId, parameters } of links) {
    const names = list(record(byId.get(operationId))['parameters']).map((parameter) => record(parameter)['name'])
    for (const name of Object.keys(record(parameters))) t.ok(names.includes(name), `${String(operationId)}: ${name}`)
  }
})

t.test('every operation says what it does', async (t) => {
  for (const { operation } of operations) t.match(operation['description'], /\w/, String(operation['operationId']))
})

t.test('the patterns of names allow what the gateway takes and nothing that it refuses', async (t) => {
  const good = ['a', 'am', 'amq', 'amqp', 'amqx', '.a', '..a', '...', 'a.b', 'a/b', 'é', '\u{1f600}', ' ']
  const refused = ['', '.', '..', 'a\u0000', '\n', 'a\u007f', '\u0085b', 'amq\u0001']
  for (const name of ['stream', 'consumer', 'publisher']) {
    const fits = matcherOf(name)
    for (const text of good) t.ok(fits(text), `${name} ${JSON.stringify(text)}`)
    t.ok(fits('x'.repeat(200)))
    for (const text of refused) t.notOk(fits(text), `${name} ${JSON.stringify(text)}`)
    t.equal(fits('amq.x'), name !== 'stream', name)
    t.notOk(fits('x'.repeat(256)))
  }
})

function matcherOf (name: string): (text: string) => boolean {
  const parameter = operations.flatMap(({ operation }) => list(operation['parameters'])).map(record)
    .find((parameter) => parameter['name'] === name)
  const { pattern, minLength, maxLength } = record(parameter?.['schema'])
  const regex = new RegExp(String(pattern), 'u')
  return (text) => regex.test(text) && text.length >= Number(minLength) && text.length <= Number(maxLength)
}

/** All schemas of a document with what they are made of. */
function * schemasIn (value: unknown, isSchema = false): Generator<Json> {
  if (Array.isArray(value)) for (const item of value) yield * schemasIn(item, isSchema)
  else if (isSchema) {
    const { properties, items, anyOf, additionalProperties } = record(value)
    yield record(value)
    for (const property of Object.values(record(properties))) yield * schemasIn(property, true)
    for (const part of [items, additionalProperties]) if (typeof part === 'object') yield * schemasIn(part, true)
    yield * schemasIn(list(anyOf), true)
  } else {
    for (const [key, member] of Object.entries(record(value))) {
      if (key === 'schemas') for (const schema of Object.values(record(member))) yield * schemasIn(schema, true)
      else if (!/^examples?$/.test(key)) yield * schemasIn(member, key === 'schema')
    }
  }
}
