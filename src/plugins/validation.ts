import { TypeGuard } from '@sinclair/typebox'
import type { FastifyInstance, FastifyRequest, FastifyServerOptions } from 'fastify'
import fp from 'fastify-plugin'
import { pointerTo } from '../text/json-pointer.ts'
import { MAX_FIELD_ERRORS, type FieldError } from '../api/field-error.ts'
import { parseDecimal } from '../api/position.ts'
import { describeSchemaError, type SchemaError } from '../api/schema-error.ts'
import { TEXT_FORMATS } from '../api/text-formats.ts'
import { invalidRequest, RequestError } from '../api/problems.ts'
import { firstErrorOf } from './first-error.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the operation may be called without its body: then the body is an empty object. */
    hasOptionalBody?: boolean
    /** Whether its body may name a thousand partitions: of a large one only the first error is told. */
    namesPartitions?: boolean
  }
}

/**
 * How Ajv checks requests: it removes and guesses nothing, and unknown fields are errors. `allErrors` is safe because
 * Ajv sees only small inputs: query strings, small bodies, and large ones with few values (see `firstErrorOf`).
 */
export const AJV_OPTIONS: NonNullable<FastifyServerOptions['ajv']> = {
  customOptions: {
    allErrors: true,
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: true,
    verbose: true,
    // For the document only.
    keywords: ['x-examples', 'x-documented'],
    formats: Object.fromEntries(Object.entries(TEXT_FORMATS).map(([name, { accepts }]) => [name, accepts]))
  }
}

/** The errors in the terms of the API, at most 20 of them. */
export function fieldErrors (errors: readonly SchemaError[], part: string): FieldError[] {
  const prefix = part === 'body' ? '' : `/${part === 'querystring' ? 'query' : part === 'params' ? 'path' : part}`
  // When no branch of an alternative fits, each branch reports its own errors; only the summary is useful.
  const unions = new Set<string>()
  for (const { keyword, schemaPath } of errors) if (keyword === 'anyOf') unions.add(`${schemaPath}/`)
  const summaries = [...unions]
  const found: FieldError[] = []
  for (const error of errors) {
    if (summaries.some((union) => error.schemaPath.startsWith(union))) continue
    const { pointer, message } = describe(error)
    found.push({ pointer: prefix + pointer, message })
    if (found.length === MAX_FIELD_ERRORS) break
  }
  return found
}

function describe (error: SchemaError): FieldError {
  const format = error.keyword === 'format' ? TEXT_FORMATS[String(error.params.format)] : undefined
  return format === undefined ? describeSchemaError(error) : { pointer: error.instancePath, message: format.message }
}

/**
 * Converts texts in query strings and paths to numbers and booleans where a schema asks for them, and nothing else:
 * Ajv's own coercion takes `1e3`, `0x10` and `true` for numbers. A text that cannot be converted stays a text, which
 * the schema refuses.
 */
function validation (app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    // An operation without parameters refuses any.
    if (route.schema?.operationId !== undefined) {
      route.schema.querystring ??= { type: 'object', properties: {}, additionalProperties: false }
    }
    const query = kindsOf(route.schema?.querystring)
    const path = kindsOf(route.schema?.params)
    const hasOptionalBody = route.config?.hasOptionalBody === true
    const body = route.schema?.body
    const firstError = route.config?.namesPartitions === true && isRecord(body)
      ? firstErrorOf(body, AJV_OPTIONS.customOptions)
      : undefined
    route.preValidation = [
      (request, _reply, done) => {
        checkQueryString(request, query)
        convert(request.query, query)
        convert(request.params, path)
        if (hasOptionalBody && request.body === undefined) request.body = {}
        const errors = firstError?.(request.body)
        if (errors !== undefined) throw invalidRequest(fieldErrors(errors, 'body'))
        done()
      },
      ...[route.preValidation ?? []].flat()
    ]
  })
}

type Kind = 'integer' | 'boolean' | 'array'

/** What the parameters of a query or a path are, apart from texts. */
interface Kinds {
  readonly byName: ReadonlyMap<string, Kind>
  /** The names of further parameters, which may be given several times. */
  readonly arrays: readonly RegExp[]
}

function kindsOf (schema: unknown): Kinds {
  const kinds = new Map<string, Kind>()
  if (!TypeGuard.IsObject(schema)) return { byName: kinds, arrays: [] }
  for (const [name, property] of Object.entries(schema.properties)) {
    if (TypeGuard.IsInteger(property)) kinds.set(name, 'integer')
    if (TypeGuard.IsBoolean(property)) kinds.set(name, 'boolean')
    if (TypeGuard.IsArray(property)) kinds.set(name, 'array')
  }
  const patterns: unknown = schema.patternProperties
  return { byName: kinds, arrays: isRecord(patterns) ? Object.keys(patterns).map((name) => new RegExp(name)) : [] }
}

function mayRepeat ({ byName, arrays }: Kinds, name: string): boolean {
  return byName.get(name) === 'array' || arrays.some((pattern) => pattern.test(name))
}

function convert (values: unknown, kinds: Kinds): void {
  if (!isRecord(values)) return
  for (const name of kinds.arrays.length > 0 ? Object.keys(values) : []) {
    const text = values[name]
    if (typeof text === 'string' && mayRepeat(kinds, name)) values[name] = [text]
  }
  for (const [name, kind] of kinds.byName) {
    const text = values[name]
    if (typeof text !== 'string') continue
    if (kind === 'array') values[name] = [text]
    else if (kind === 'integer') values[name] = parseDecimal(text) ?? text
    else if (text === 'true' || text === 'false') values[name] = text === 'true'
  }
}

// Some clients mean a space by it and others a plus. A publisher that got another name than the one in a path would
// have publishing ids of its own, and a filter would match nothing.
const PLUS_IN_NAME = /[?&](publisher|prefix|filterValue|match[.][^=&]*)=[^&]*\+/

function checkQueryString ({ raw, query }: FastifyRequest, kinds: Kinds): void {
  if (!isRecord(query)) return
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value) && !mayRepeat(kinds, name)) {
      throw invalidRequest([{ pointer: pointerTo('/query', name), message: 'is given more than once' }])
    }
  }
  const start = raw.url?.indexOf('?') ?? -1
  if (start < 0 || raw.url === undefined) return
  const plus = raw.url.includes('+', start) ? PLUS_IN_NAME.exec(raw.url) : null
  if (plus !== null) {
    const message = 'has a + that is not escaped: write %2B for a plus, %20 for a space'
    throw invalidRequest([{ pointer: `/query/${plus[1]}`, message }])
  }
  if (!raw.url.includes('%', start)) return
  try {
    decodeURIComponent(raw.url.slice(start + 1))
  } catch {
    throw new RequestError('bad_request', 'the query string has a % that does not start a percent-encoded UTF-8 ' +
      'character')
  }
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

export default fp(async (app) => validation(app), { name: 'validation' })
