import fc from 'fast-check'
import { hostileJson } from './hostile-values.ts'

/** An object of a JSON document, or an empty one. */
export type Json = Readonly<Record<string, unknown>>

/** Values that fit the schemas of an OpenAPI document, as far as a schema says. */
export class SchemaValues {
  readonly #schemas: Json

  /** @param schemas what `#/components/schemas/` refers to */
  constructor (schemas: Json) {
    this.#schemas = schemas
  }

  /** A value of a schema that has a name. */
  named (name: string): fc.Arbitrary<unknown> {
    return this.of(record(this.#schemas[name]))
  }

  of (schema: Json): fc.Arbitrary<unknown> {
    const reference = /^#\/components\/schemas\/(\w+)$/.exec(String(schema['$ref']))?.[1]
    if (reference !== undefined) return this.named(reference)
    if ('const' in schema) return fc.constant(schema['const'])
    if ('enum' in schema) return fc.constantFrom(...list(schema['enum']))
    if ('anyOf' in schema) return fc.oneof(...list(schema['anyOf']).map((branch) => this.of(record(branch))))
    return fc.oneof(...[schema['type']].flat().map((type) => this.#typed(type, schema)))
  }

  #typed (type: unknown, schema: Json): fc.Arbitrary<unknown> {
    switch (type) {
      case 'integer': case 'number': return numbers(schema)
      case 'boolean': return fc.boolean()
      case 'null': return fc.constant(null)
      case 'array': return this.#array(schema)
      case 'object': return this.#object(schema)
      case 'string': return strings(schema)
      default: return fc.oneof(fc.constantFrom(...list(schema['examples']), 'x'), fc.jsonValue({ maxDepth: 2 }))
    }
  }

  #array (schema: Json): fc.Arbitrary<unknown> {
    return fc.array(this.of(record(schema['items'])), { minLength: Number(schema['minItems'] ?? 0), maxLength: 5 })
  }

  #object (schema: Json): fc.Arbitrary<unknown> {
    const properties = Object.entries(record(schema['properties']))
    if (properties.length === 0) {
      const value = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constant({ $type: 'uint', value: 7 }))
      return fc.dictionary(fc.string({ maxLength: 5 }), value, { maxKeys: 3 })
    }
    const required = list(schema['required']).map(String)
    return fc.record(Object.fromEntries(properties.map(([name, property]) => {
      const value = this.of(record(property))
      return [name, required.includes(name) ? value : fc.option(value, { nil: undefined, freq: 1 })]
    })))
  }
}

function numbers (schema: Json): fc.Arbitrary<unknown> {
  const max = Math.min(Number(schema['maximum'] ?? 100), Number(schema['minimum'] ?? 0) + 100)
  return fc.oneof(
    fc.integer({ min: Number(schema['minimum'] ?? -10), max }),
    fc.constant(schema['maximum'] ?? 7)
  )
}

function strings (schema: Json): fc.Arbitrary<unknown> {
  if (typeof schema['pattern'] === 'string') return fc.stringMatching(new RegExp(schema['pattern']))
  return fc.oneof(
    fc.string({ minLength: Number(schema['minLength'] ?? 0), maxLength: 20 }),
    fc.constantFrom(...list(schema['examples']), 'x')
  )
}

/** The value with something in it replaced, added or missing. */
export function damaged (value: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(value) && value.length > 0) {
    return fc.nat(value.length - 1).chain((at) => {
      return fc.oneof(damaged(value[at]), hostileJson).map((other) => value.with(at, other))
    })
  }
  if (typeof value !== 'object' || value === null) return hostileJson
  return fc.constantFrom(...Object.keys(value), 'unknown').chain((name) => {
    const other = fc.oneof(damaged(record(value)[name]), hostileJson, fc.constant(undefined))
    return other.map((other) => ({ ...value, [name]: other }))
  })
}

/** An OpenAPI document in which operations have the parameters and responses that they refer to. */
export function withoutReferences (document: unknown): unknown {
  const components = record(record(document)['components'])
  const resolved = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolved)
    if (typeof value !== 'object' || value === null) return value
    const [, kind = '', name = ''] = /^#\/components\/(parameters|responses|headers)\/(.+)$/
      .exec(String(record(value)['$ref'])) ?? []
    if (kind !== '') return resolved(record(components[kind])[name])
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, resolved(member)]))
  }
  return resolved(document)
}

export function record (value: unknown): Json {
  const isRecord = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isRecord ? Object.fromEntries(Object.entries(value)) : {}
}

export function list (value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
