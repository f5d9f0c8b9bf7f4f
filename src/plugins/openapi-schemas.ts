import { isJsonObject, objectsIn, type JsonObject } from '../text/json-node.ts'

/*
 * Schemas as generators of clients read them. Routes keep schemas as validators want them, and the document says the
 * same in words that more tools know.
 */

const MAX_INT32 = 2 ** 31 - 1

// The formats of `TEXT_FORMATS`, which no tool but this gateway knows.
const POSITION = 'first|last|next|0|[1-9][0-9]{0,15}'
const TIME = '[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]+)?' +
  '(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])'
const FORMATS: Readonly<Record<string, JsonObject>> = {
  position: { pattern: `^(${POSITION})$` },
  timestamp: { format: 'date-time' },
  start: { pattern: `^(${POSITION}|${TIME})$` }
}

/**
 * Rewrites all schemas of a document in place. A schema with a `title` becomes a component of that name.
 *
 * @throws Error when two different schemas have one title
 */
export function makeSchemasPortable (document: JsonObject): void {
  const components = objectOf(document, 'components')
  const named = objectOf(components, 'schemas')
  const titled: JsonObject = {}
  const schemas = new Schemas(titled)
  for (const [name, schema] of Object.entries(named)) named[name] = schemas.portable(schema, name)
  for (const holder of holdersIn(document)) holder.schema = schemas.portable(holder.schema)
  for (const [name, schema] of Object.entries(titled)) {
    if (name in named) throw new Error(`two schemas of the document are called ${name}`)
    named[name] = schema
  }
}

class Schemas {
  readonly #titled: JsonObject

  constructor (titled: JsonObject) {
    this.#titled = titled
  }

  /** The schema in portable words, or a reference to it when it has a title other than the name of its component. */
  portable (schema: unknown, component?: string): unknown {
    if (!isJsonObject(schema)) return schema
    const { type } = schema
    // oapi-codegen and others know one type for each schema.
    if (Array.isArray(type)) return this.portable(withBranches(schema, type), component)
    const { 'x-documented': documented, ...own } = schema
    const portable = defined({
      ...own,
      ...(isJsonObject(documented) && documented),
      ...this.#parts(own),
      ...sizeOf(own),
      ...enumOf(own),
      ...formatOf(own)
    })
    return typeof own.title === 'string' && own.title !== component ? this.#named(own.title, portable) : portable
  }

  #parts ({ properties, items, additionalProperties, anyOf }: JsonObject): JsonObject {
    return {
      ...(isJsonObject(properties) && { properties: this.#properties(properties) }),
      ...(items !== undefined && { items: this.portable(items) }),
      ...(additionalProperties !== undefined && { additionalProperties: this.portable(additionalProperties) }),
      ...(Array.isArray(anyOf) && { anyOf: anyOf.map((branch) => this.portable(branch)) })
    }
  }

  #properties (properties: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(properties).map(([name, property]) => {
      return [name, this.portable(withoutDefault(property))]
    }))
  }

  #named (title: string, schema: JsonObject): JsonObject {
    const known = this.#titled[title]
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(schema)) {
      throw new Error(`two schemas of the document have the title ${title}`)
    }
    this.#titled[title] = schema
    return { $ref: `#/components/schemas/${title}` }
  }
}

// What an object means in the place of a plain value. Without a name, it breaks the Java of openapi-generator.
const TAGGED_VALUE = {
  title: 'TaggedValue',
  description: 'A value with its AMQP type.',
  type: 'object',
  required: ['$type', 'value'],
  properties: { $type: { type: 'string', examples: ['uuid'] }, value: { description: 'As its type is written.' } }
}

const COMMON_KEYS: ReadonlySet<string> = new Set(['title', 'description', 'examples', 'default', 'deprecated'])

/** A list of types as alternatives. What bounds a value goes to each branch whose values it bounds. */
function withBranches ({ type: _, ...schema }: JsonObject, types: readonly unknown[]): JsonObject {
  const entries = Object.entries(schema)
  const common = Object.fromEntries(entries.filter(([key]) => COMMON_KEYS.has(key)))
  const bounds = Object.fromEntries(entries.filter(([key]) => !COMMON_KEYS.has(key)))
  const branches = types.map((type) => type === 'object'
    ? TAGGED_VALUE
    : {
        type,
        ...((type === 'integer' || type === 'number') && bounds)
      })
  return { ...common, anyOf: branches }
}

// Without the format, generators of Go and Java take 32 bits, which an offset outgrows.
function sizeOf ({ type, maximum, format }: JsonObject): JsonObject {
  if (type !== 'integer' || format !== undefined) return {}
  return typeof maximum === 'number' && maximum <= MAX_INT32 ? {} : { format: 'int64' }
}

/** Alternatives that are texts, one each, are an enumeration: generators name its values. */
function enumOf ({ anyOf }: JsonObject): JsonObject {
  const values = Array.isArray(anyOf) ? anyOf.map((branch) => isJsonObject(branch) ? branch.const : undefined) : []
  if (values.length === 0 || !values.every((value) => typeof value === 'string')) return {}
  return { anyOf: undefined, type: 'string', enum: values }
}

function formatOf ({ format }: JsonObject): JsonObject {
  const known = typeof format === 'string' ? FORMATS[format] : undefined
  return known === undefined ? {} : { format: undefined, ...known }
}

/** Generators make a property with a default one that every request must have, so its description has it instead. */
function withoutDefault (property: unknown): unknown {
  if (!isJsonObject(property) || !('default' in property)) return property
  const { default: value, description = '', ...rest } = property
  return { ...rest, description: `${String(description)} Default: \`${textOf(value)}\`.`.trim() }
}

function textOf (value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}

function defined (schema: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined))
}

// What has a member `schema`: parameters, headers, media types. Examples are data, whatever their members are called.
function holdersIn (document: JsonObject): JsonObject[] {
  const components = objectOf(document, 'components')
  const operations = objectsIn(document.paths).flatMap(objectsIn)
  const responses = [...operations.flatMap(({ responses }) => objectsIn(responses)), ...objectsIn(components.responses)]
  const bodies = operations.flatMap(({ requestBody }) => isJsonObject(requestBody) ? [requestBody] : [])
  return [
    ...operations.flatMap(({ parameters }) => objectsIn(parameters)),
    ...objectsIn(components.parameters),
    ...responses.flatMap(({ headers }) => objectsIn(headers)),
    ...objectsIn(components.headers),
    ...[...responses, ...bodies].flatMap(({ content }) => objectsIn(content))
  ].filter((holder) => 'schema' in holder)
}

function objectOf (value: JsonObject, name: string): JsonObject {
  const member = value[name]
  return isJsonObject(member) ? member : {}
}
