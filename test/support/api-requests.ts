import fc from 'fast-check'
import { hostileBodies, hostileHeaders, hostileNames, hostileTexts } from './hostile-values.ts'
import { damaged, list, record, SchemaValues, withoutReferences, type Json } from './schema-values.ts'

/** A request as it goes over the wire. */
export interface ApiRequest {
  method: string
  /** With the query string, percent-encoded. */
  path: string
  headers: Record<string, string>
  body: Buffer | undefined
}

interface Content {
  type: string | undefined
  body: Buffer | undefined
}

const OTHER_METHODS = ['HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PUT', 'DELETE', 'GET', 'POST'] as const
const ODD_QUERIES = [
  '', 'limit=1', 'unknown=1', 'offset=0&offset=1', 'wait=1&wait=1', '__proto__=1', '%', '%zz=1', '&&&', '=', 'a[b]=c',
  'publisher=%00'
] as const

/** Well-formed, nearly well-formed and hostile requests for every operation of an OpenAPI document. */
export function apiRequests (document: unknown, streams: readonly string[]): fc.Arbitrary<ApiRequest> {
  const root = record(withoutReferences(document))
  const schemas = new SchemaValues(record(record(root['components'])['schemas']))
  const maker = new RequestMaker(schemas, streams)
  const requests = Object.entries(record(root['paths'])).flatMap(([path, methods]) => {
    return Object.entries(record(methods)).map(([method, operation]) => {
      return maker.request(method.toUpperCase(), path, record(operation))
    })
  })
  return fc.oneof(...requests)
}

class RequestMaker {
  readonly #values: SchemaValues
  readonly #streams: readonly string[]

  constructor (values: SchemaValues, streams: readonly string[]) {
    this.#values = values
    this.#streams = streams
  }

  request (method: string, template: string, operation: Json): fc.Arbitrary<ApiRequest> {
    const parameters = list(operation['parameters']).map(record)
    const isIn = (place: string) => (parameter: Json): boolean => parameter['in'] === place
    return fc.record({
      method: rarely(60, fc.constant(method), fc.constantFrom(...OTHER_METHODS)),
      path: this.#path(template, parameters),
      query: this.#query(parameters.filter(isIn('query'))),
      own: this.#headers(parameters.filter(isIn('header'))),
      hostile: rarely(8, fc.constant({}), hostileHeaders),
      content: this.#content(record(record(operation['requestBody'])['content']))
    }).map(({ method, path, query, own, hostile, content }) => ({
      method,
      path: query === '' ? path : `${path}?${query}`,
      headers: headerSafe({ ...(content.type !== undefined && { 'content-type': content.type }), ...own, ...hostile }),
      body: method === 'HEAD' || method === 'TRACE' ? undefined : content.body
    }))
  }

  #path (template: string, parameters: readonly Json[]): fc.Arbitrary<string> {
    const parts = template.split('/').map((part): fc.Arbitrary<string> => {
      const name = /^\{(\w+)\}$/.exec(part)?.[1]
      if (name === undefined) return fc.constant(part)
      const schema = record(parameters.find((parameter) => parameter['name'] === name)?.['schema'])
      const good = this.#good(name, schema).map((value) => encode(String(value)))
      return rarely(12, good, fc.oneof(hostileNames, hostileTexts.map(encode)))
    })
    return fc.tuple(...parts).map((texts) => texts.join('/').replace(/^(?!\/)/, '/'))
  }

  #query (parameters: readonly Json[]): fc.Arbitrary<string> {
    const known = fc.tuple(...parameters.map((parameter) => {
      const pair = this.#text(parameter).map((text) => `${String(parameter['name'])}=${encode(text)}`)
      return fc.option(pair, { nil: '', freq: 1 })
    }))
    const odd = rarely(10, fc.constant(''), fc.constantFrom(...ODD_QUERIES))
    return fc.tuple(known, odd).map(([texts, extra]) => [...texts, extra].filter((text) => text !== '').join('&'))
  }

  #headers (parameters: readonly Json[]): fc.Arbitrary<Json> {
    const texts = parameters.map((parameter) => [String(parameter['name']), this.#text(parameter)])
    return fc.record(Object.fromEntries(texts), { requiredKeys: [] })
  }

  #text (parameter: Json): fc.Arbitrary<string> {
    const good = this.#good(String(parameter['name']), record(parameter['schema']))
    return rarely(10, good.map(String), hostileTexts)
  }

  // Names that the operations share, so that they meet.
  #good (name: string, schema: Json): fc.Arbitrary<unknown> {
    switch (name) {
      case 'stream': return fc.constantFrom(...this.#streams)
      case 'consumer': case 'publisher': return fc.constantFrom('a', 'b', 'c/d')
      case 'code': return fc.constantFrom('overloaded', 'nothing')
      case 'offset': return fc.oneof(fc.nat(50), fc.constantFrom('first', 'last', 'next'))
      case 'from': return fc.oneof(fc.nat(50), fc.constantFrom('first', 'last', 'next', '2026-01-31T12:00:00Z'))
      case 'timestamp': return fc.constantFrom('2026-01-31T12:00:00.000Z', '2000-01-01T00:00:00Z')
      case 'wait': return fc.constantFrom(0, 0, 0, 1)
      case 'limit': return fc.integer({ min: 1, max: 100 })
      case 'publishing-id': case 'commit': case 'expectedLastPublishingId': case 'firstPublishingId': return fc.nat(50)
      default: return this.#values.of(schema)
    }
  }

  #content (content: Json): fc.Arbitrary<Content> {
    const none = fc.constant({ type: undefined, body: undefined })
    const types = Object.keys(content)
    if (types.length === 0) {
      return rarely(20, none, fc.record({ type: fc.constantFrom(undefined, 'application/json'), body: hostileBodies }))
    }
    return fc.oneof(...types.map((type) => fc.record({
      type: fc.constant(type === '*/*' ? 'application/octet-stream' : type),
      body: rarely(6, this.#body(type, record(record(content[type])['schema'])), hostileBodies)
    })), none)
  }

  #body (type: string, schema: Json): fc.Arbitrary<Buffer> {
    if (/^application\/(?:json|cloudevents.*\+json)$/.test(type)) {
      return mayBeDamaged(3, this.#values.of(schema)).map((value) => jsonOf(value, ''))
    }
    if (type === 'application/x-ndjson') {
      const lines = mayBeDamaged(10, this.#values.named('MessageWrite')).map((value) => jsonOf(value, '\n'))
      return fc.array(lines, { maxLength: 5 }).map((lines) => Buffer.concat(lines))
    }
    return fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes))
  }
}

/** The other thing once, and the usual thing `weight` times. */
function rarely<T, U> (weight: number, usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
  const choices: Array<{ weight: number, arbitrary: fc.Arbitrary<T | U> }> = [
    { weight, arbitrary: usual },
    { weight: 1, arbitrary: other }
  ]
  return fc.oneof(...choices)
}

function mayBeDamaged (weight: number, value: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return rarely(weight, value, value.chain(damaged))
}

function jsonOf (value: unknown, end: string): Buffer {
  return Buffer.from(`${JSON.stringify(value) ?? ''}${end}`)
}

function encode (text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\ufffd'))
}

// What no client library would send is tested over bare sockets.
function headerSafe (headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const sent = Object.entries(headers).filter(([, value]) => value !== undefined)
  return Object.fromEntries(sent.map(([name, value]) => {
    const text = Buffer.from(String(value)).toString('latin1')
    return [name, text.replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '')]
  }))
}
