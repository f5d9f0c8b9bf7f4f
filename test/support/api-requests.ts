import fc from 'fast-check'

/** A request as it goes over the wire. */
export interface ApiRequest {
  method: string
  /** With the query string, percent-encoded. */
  path: string
  headers: Record<string, string>
  body: Buffer | undefined
}

type Json = Readonly<Record<string, unknown>>

/** What a name in a path or a query string may be beside a good one. */
export const HOSTILE_NAMES = [
  '..', '.', '%2e%2e', '%2E', '../..', '%00', 'a%00b', '%2F', '%2f..%2f', 'a/b', '%', '%zz', '%c3%28', '%c0%af', '%ed%a0%80', '%f4%90%80%80', '%EF%BF%BF', '%0d%0aX-Injected:%201',
  '%0a', '%7f', '%C2%85', 'amq.stream', 'a%20b', '%20', '+', '%25', '%252F', ';x=1', '__proto__', 'constructor', '*', '~', encodeURIComponent('🐇'.repeat(50)), encodeURIComponent('🐇'.repeat(51)),
  encodeURIComponent('é'.repeat(127)), 'x'.repeat(200), 'x'.repeat(201), 'x'.repeat(255), 'x'.repeat(256), 'x'.repeat(3000), encodeURIComponent('\'"<script>alert(1)</script>')
] as const

const hostileTexts = fc.oneof(
  fc.constantFrom('', ' ', '0', '-1', '1e3', '00', '0x10', '9007199254740991', '9007199254740992', '9007199254740993', '18446744073709551615', '1.5', 'NaN', 'null', 'true', 'first', 'last', 'next',
    '2026-01-31T12:00:00.000Z', '2026-02-30T00:00:00Z', '9999-12-31T23:59:59.999Z', '1969-12-31T23:59:59Z', '\u0000', '__proto__', 'x'.repeat(5000), '\ud800', '🐇', '\r\nX-Injected: 1'),
  fc.string({ unit: 'binary', maxLength: 30 })
)
const hostileJson = fc.oneof(
  fc.constantFrom<unknown>(null, true, '', 'x', 0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER + 1, [], {}, [[]], [null], { $type: 'ulong', value: '18446744073709551616' }, { $type: 'map', value: [[1, 2], [1, 3]] }, { $type: 'nothing' }, { constructor: { prototype: 1 } }),
  hostileTexts,
  fc.jsonValue({ maxDepth: 3 })
)
const hostileBodies = fc.oneof(
  fc.constantFrom('', ' ', 'null', '[]', '{}', '{', '"', '{"messages":[]}', '{"messages":[{}]}', '{"messages":[null]}', '{"messages":{"0":{"body":1}}}', '{"messages":[{"body":1}],"messages":[]}', '{"__proto__":{"messages":[{"body":1}]}}',
    '{"messages":[{"body":{"__proto__":1}}]}', '{"messages":[{"body":{"constructor":{"prototype":{"x":1}}}}]}', '{"messages":[{"body":9007199254740993}]}', '{"messages":[{"body":1e400}]}', '\ufeff{"messages":[{"body":1}]}', `{"messages":[{"body":${'['.repeat(5000)}${']'.repeat(5000)}}]}`,
    '{"offset":0.0}', '{"offset":-0}', '{"offset":1e999}', '{"to":{"offset":9007199254740993}}', '\n', '\n\n', 'a\nb', '{"body":1}\n{"body":2}', '{"body":1}\n{"bodi":2}\n').map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes))
)
const hostileHeaders = fc.constantFrom<Record<string, string>>(
  {}, { accept: 'text/html' }, { accept: 'application/x-ndjson' }, { accept: 'application/json;q=0, */*;q=0.1' }, { accept: ';;;,,' }, { 'content-type': 'application/xml' }, { 'content-type': 'application/json; charset=utf-16' },
  { 'content-type': 'a' }, { 'content-type': '' }, { 'content-encoding': 'gzip' }, { 'content-encoding': 'identity' }, { 'x-request-id': 'x'.repeat(500) }, { 'x-request-id': 'ok-1' }, { 'x-request-id': '<script>' }, { 'publishing-id': '1e3' },
  { 'publishing-id': '7' }, { 'app-property-': 'x' }, { 'app-property-a': 'é' }, { 'app-property-__proto__': '1' }, { authorization: 'Basic Zm9v' }, { 'if-none-match': '*' }, { range: 'bytes=0-1' }, { 'x-http-method-override': 'DELETE' },
  { cookie: 'x'.repeat(4000) }, { big: 'x'.repeat(20_000) }
)
const OTHER_METHODS = ['HEAD', 'OPTIONS', 'PATCH', 'TRACE', 'PUT', 'DELETE', 'GET', 'POST'] as const

/** Well-formed, nearly well-formed and hostile requests for every operation of an OpenAPI document. */
export function apiRequests (document: unknown, streams: readonly string[]): fc.Arbitrary<ApiRequest> {
  const root = record(document)
  const operations = Object.entries(record(root['paths'])).flatMap(([path, methods]) =>
    Object.entries(record(methods)).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation: record(operation) })))
  const maker = new RequestMaker(record(record(root['components'])['schemas']), streams)
  return fc.oneof(...operations.map(({ method, path, operation }) => maker.request(method, path, operation)))
}

class RequestMaker {
  readonly #schemas: Json
  readonly #streams: readonly string[]

  constructor (schemas: Json, streams: readonly string[]) {
    this.#schemas = schemas
    this.#streams = streams
  }

  request (method: string, template: string, operation: Json): fc.Arbitrary<ApiRequest> {
    const parameters = list(operation['parameters']).map(record)
    const inQuery = parameters.filter((parameter) => parameter['in'] === 'query')
    const inHeaders = parameters.filter((parameter) => parameter['in'] === 'header')
    return fc.record({
      method: fc.oneof({ weight: 60, arbitrary: fc.constant(method) }, { weight: 1, arbitrary: fc.constantFrom(...OTHER_METHODS) }),
      path: this.#path(template, parameters),
      query: this.#query(inQuery),
      headers: fc.tuple(fc.record(Object.fromEntries(inHeaders.map((parameter) => [String(parameter['name']), this.#text(parameter)])), { requiredKeys: [] }), rarely(8, fc.constant({}), hostileHeaders)),
      content: this.#content(record(record(operation['requestBody'])['content']))
    }).map(({ method, path, query, headers: [own, hostile], content }) => ({
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
      return rarely(12, this.#good(name, schema).map((value) => encode(String(value))), fc.oneof(fc.constantFrom(...HOSTILE_NAMES), hostileTexts.map(encode)))
    })
    return fc.tuple(...parts).map((texts) => texts.join('/').replace(/^(?!\/)/, '/'))
  }

  #query (parameters: readonly Json[]): fc.Arbitrary<string> {
    const known = fc.tuple(...parameters.map((parameter) => fc.option(this.#text(parameter).map((text) => `${String(parameter['name'])}=${encode(text)}`), { nil: '', freq: 1 })))
    const odd = fc.constantFrom('', 'limit=1', 'unknown=1', 'offset=0&offset=1', 'wait=1&wait=1', '__proto__=1', '%', '%zz=1', '&&&', '=', 'a[b]=c', 'publisher=%00')
    return fc.tuple(known, rarely(10, fc.constant(''), odd)).map(([texts, extra]) => [...texts, extra].filter((text) => text !== '').join('&'))
  }

  #text (parameter: Json): fc.Arbitrary<string> {
    return rarely(10, this.#good(String(parameter['name']), record(parameter['schema'])).map(String), hostileTexts)
  }

  // Names that the operations share, so that they meet.
  #good (name: string, schema: Json): fc.Arbitrary<unknown> {
    switch (name) {
      case 'stream': return fc.constantFrom(...this.#streams)
      case 'consumer': case 'publisher': return fc.constantFrom('a', 'b', 'c/d')
      case 'code': return fc.constantFrom('overloaded', 'nothing')
      case 'offset': case 'from': return fc.oneof(fc.nat(50), fc.constantFrom('first', 'last', 'next'))
      case 'timestamp': return fc.constantFrom('2026-01-31T12:00:00.000Z', '2000-01-01T00:00:00Z')
      case 'wait': return fc.constantFrom(0, 0, 0, 1)
      case 'limit': return fc.integer({ min: 1, max: 100 })
      case 'publishing-id': case 'commit': case 'expectedLastPublishingId': case 'firstPublishingId': return fc.nat(50)
      default: return this.#value(schema)
    }
  }

  #content (content: Json): fc.Arbitrary<{ type: string | undefined, body: Buffer | undefined }> {
    const none = fc.constant({ type: undefined, body: undefined })
    const types = Object.keys(content)
    if (types.length === 0) return rarely(20, none, fc.record({ type: fc.constantFrom(undefined, 'application/json'), body: hostileBodies }))
    return fc.oneof(...types.map((type) => fc.record({
      type: fc.constant(type === '*/*' ? 'application/octet-stream' : type),
      body: rarely(6, this.#body(type, record(record(content[type])['schema'])), hostileBodies)
    })), none)
  }

  #body (type: string, schema: Json): fc.Arbitrary<Buffer> {
    if (type === 'application/json') return rarely(3, this.#value(schema), this.#value(schema).chain((value) => damaged(value))).map((value) => Buffer.from(JSON.stringify(value) ?? ''))
    if (type === 'application/x-ndjson') {
      const message = this.#value(record(this.#schemas['MessageWrite']))
      return fc.array(rarely(10, message, message.chain((value) => damaged(value))), { maxLength: 5 }).map((messages) => Buffer.from(messages.map((value) => `${JSON.stringify(value) ?? ''}\n`).join('')))
    }
    return fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes))
  }

  /** A value that fits the schema, as far as a schema says. */
  #value (schema: Json): fc.Arbitrary<unknown> {
    const reference = /^#\/components\/schemas\/(\w+)$/.exec(String(schema['$ref']))?.[1]
    if (reference !== undefined) return this.#value(record(this.#schemas[reference]))
    if ('const' in schema) return fc.constant(schema['const'])
    if ('enum' in schema) return fc.constantFrom(...list(schema['enum']))
    if ('anyOf' in schema) return fc.oneof(...list(schema['anyOf']).map((branch) => this.#value(record(branch))))
    const types = [schema['type']].flat()
    return fc.oneof(...types.map((type) => this.#typed(type, schema)))
  }

  #typed (type: unknown, schema: Json): fc.Arbitrary<unknown> {
    switch (type) {
      case 'integer': case 'number': return fc.oneof(fc.integer({ min: Number(schema['minimum'] ?? -10), max: Math.min(Number(schema['maximum'] ?? 100), Number(schema['minimum'] ?? 0) + 100) }), fc.constant(schema['maximum'] ?? 7))
      case 'boolean': return fc.boolean()
      case 'null': return fc.constant(null)
      case 'array': return fc.array(this.#value(record(schema['items'])), { minLength: Number(schema['minItems'] ?? 0), maxLength: 5 })
      case 'object': return this.#object(schema)
      case 'string': return typeof schema['pattern'] === 'string' ? fc.stringMatching(new RegExp(schema['pattern'])) : fc.oneof(fc.string({ minLength: Number(schema['minLength'] ?? 0), maxLength: 20 }), fc.constantFrom(...list(schema['examples']), 'x'))
      default: return fc.oneof(fc.constantFrom(...list(schema['examples']), 'x'), fc.jsonValue({ maxDepth: 2 }))
    }
  }

  #object (schema: Json): fc.Arbitrary<unknown> {
    const properties = record(schema['properties'])
    if (Object.keys(properties).length === 0) return fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constant({ $type: 'uint', value: 7 })), { maxKeys: 3 })
    const required = list(schema['required']).map(String)
    return fc.record(Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, required.includes(name) ? this.#value(record(property)) : fc.option(this.#value(record(property)), { nil: undefined, freq: 1 })])))
  }
}

/** One of `weight` is the other thing. */
function rarely<T, U> (weight: number, usual: fc.Arbitrary<T>, other: fc.Arbitrary<U>): fc.Arbitrary<T | U> {
  return fc.oneof<Array<{ weight: number, arbitrary: fc.Arbitrary<T | U> }>>({ weight, arbitrary: usual }, { weight: 1, arbitrary: other })
}

/** The value with something in it replaced, added or missing. */
function damaged (value: unknown): fc.Arbitrary<unknown> {
  if (Array.isArray(value) && value.length > 0) {
    return fc.nat(value.length - 1).chain((at) => fc.oneof(damaged(value[at]), hostileJson).map((other) => value.map((element: unknown, index) => index === at ? other : element)))
  }
  if (typeof value !== 'object' || value === null) return hostileJson
  const names = [...Object.keys(value), 'unknown']
  return fc.constantFrom(...names).chain((name) => fc.oneof(damaged(record(value)[name]), hostileJson, fc.constant(undefined)).map((other) => ({ ...value, [name]: other })))
}

function encode (text: string): string {
  return encodeURIComponent(text.replaceAll(/\p{Surrogate}/gu, '\ufffd'))
}

// What a client library would not send at all is the business of bare sockets.
function headerSafe (headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined).map(([name, value]) => [name, Buffer.from(String(value)).toString('latin1').replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '')]))
}

function record (value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {}
}

function list (value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
