import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'

export interface CheckedAnswer { status: number, contentType: string, text: string }

/**
 * Holds answers against an OpenAPI document: the status has to be declared for the operation, the content type for the
 * status, and the body has to fit the schema.
 */
export class OpenapiCheck {
  readonly #document: object
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: false })
  readonly #operations: ReadonlyArray<{ method: string, path: string, pattern: RegExp }>

  constructor (document: object) {
    this.#document = document
    formats.default(this.#ajv)
    this.#ajv.addSchema(document, 'openapi')
    const operations = Object.entries(member(document, 'paths')).flatMap(([path, methods]) => {
      return Object.keys(record(methods)).map((method) => {
        return { method: method.toUpperCase(), path, pattern: patternOf(path) }
      })
    })
    // `/messages/lines` comes before `/messages/{offset}`.
    this.#operations = operations.sort((a, b) => {
      return Number(a.path.includes('{offset}')) - Number(b.path.includes('{offset}'))
    })
  }

  /** @returns what does not fit; empty when all does */
  faults (method: string, path: string, answer: CheckedAnswer): string[] {
    const operation = this.#operations.find((operation) => {
      return operation.method === method && operation.pattern.test(path)
    })
    if (operation === undefined) return this.#problemFaults(answer)
    const { status, contentType, text } = answer
    const at = ['paths', operation.path, method.toLowerCase(), 'responses', String(status)]
    const named = this.#find(at)
    if (named === undefined) return [`${method} ${operation.path} does not declare ${status}`]
    const place = placeOf(named) ?? at
    const response = this.#find(place) ?? {}
    const declared = ['content', 'x-other-content'].flatMap((name) => Object.keys(member(response, name)))
    if (declared.length === 0) return text === '' ? [] : ['a body where none is declared']
    const type = declared.find((type) => type === mediaTypeOf(contentType)) ?? declared.find((type) => type === '*/*')
    if (type === undefined) return [`${status} of ${operation.path} does not declare ${contentType}`]
    if (!/json$/.test(type)) return []
    if (type !== 'application/x-ndjson') return this.#schemaFaults([...place, 'content', type, 'schema'], text)
    const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('{"$'))
    const message = operation.path.includes('/super-streams/') ? 'PartitionMessage' : 'MessageRead'
    return lines.flatMap((line) => this.#schemaFaults(['components', 'schemas', message], line))
  }

  #problemFaults ({ status, contentType, text }: CheckedAnswer): string[] {
    if (status < 400) return []
    if (mediaTypeOf(contentType) !== 'application/problem+json') return [`${status} is ${contentType}, not a problem`]
    return this.#schemaFaults(['components', 'schemas', 'Problem'], text)
  }

  #schemaFaults (at: readonly string[], text: string): string[] {
    const pointer = at.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')
    const validate = this.#ajv.getSchema(`openapi#/${pointer}`) ?? this.#ajv.compile({ $ref: `openapi#/${pointer}` })
    if (validate(JSON.parse(text)) === true) return []
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
  }

  #find (at: readonly string[]): object | undefined {
    let value: object | undefined = this.#document
    for (const name of at) {
      value = value !== undefined && Object.hasOwn(value, name) ? member(value, name) : undefined
    }
    return value
  }
}

/** Where a thing is that is only referred to. */
function placeOf (reference: object): string[] | undefined {
  return '$ref' in reference ? String(reference.$ref).split('/').slice(1) : undefined
}

function patternOf (path: string): RegExp {
  const escaped = path.replace(/[.*+?^$()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/\{\w+\}/g, '[^/]+')}$`)
}

function mediaTypeOf (contentType: string): string {
  return contentType.split(';', 1)[0] ?? ''
}

function member (value: object, name: string): object {
  return record(Object.entries(value).find(([key]) => key === name)?.[1])
}

function record (value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}
