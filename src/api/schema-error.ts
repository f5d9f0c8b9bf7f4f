import { pointerTo } from '../text/json-pointer.ts'
import type { FieldError } from './field-error.ts'

/** An error that Ajv found, as far as it is looked at here. */
export interface SchemaError {
  instancePath: string
  schemaPath: string
  keyword: string
  message?: string
  params: Record<string, unknown>
  /** With Ajv's option `verbose`. */
  parentSchema?: object
}

/** Where the error is and what is wrong, in the terms of the API. */
export function describeSchemaError ({
  instancePath,
  keyword,
  message = 'is invalid',
  params,
  parentSchema
}: SchemaError): FieldError {
  switch (keyword) {
    case 'additionalProperties':
      return { pointer: pointerTo(instancePath, String(params.additionalProperty)), message: 'is unknown' }
    case 'required':
      return { pointer: pointerTo(instancePath, String(params.missingProperty)), message: 'is required' }
    case 'anyOf':
      return { pointer: instancePath, message: `must be one of ${formsOf(parentSchema).join(', ')}` }
    case 'pattern':
      return { pointer: instancePath, message: patternFault(parentSchema) }
    default:
      return { pointer: instancePath, message: RULES[keyword]?.(params) ?? message }
  }
}

// The other rules of JSON Schema, as sentences.
const RULES: Readonly<Record<string, (params: Record<string, unknown>) => string>> = {
  type: ({ type }) => `must be ${[type].flat().map((name) => TYPES[String(name)] ?? String(name)).join(' or ')}`,
  enum: ({ allowedValues }) => `must be one of ${listOf(allowedValues).join(', ')}`,
  const: ({ allowedValue }) => `must be ${JSON.stringify(allowedValue)}`,
  minimum: ({ limit }) => `must be at least ${String(limit)}`,
  maximum: ({ limit }) => `must be at most ${String(limit)}`,
  minLength: ({ limit }) => limit === 1 ? 'must not be empty' : `must have at least ${String(limit)} characters`,
  maxLength: ({ limit }) => `must have at most ${String(limit)} characters`,
  minItems: ({ limit }) => limit === 1 ? 'must not be empty' : `must have at least ${String(limit)} items`,
  maxItems: ({ limit }) => `must have at most ${String(limit)} items`
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'a string',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'an array'
}

function patternFault (schema: object = {}): string {
  const examples = 'examples' in schema ? listOf(schema.examples).join(' or ') : ''
  const description = 'description' in schema ? String(schema.description) : ''
  return `${examples === '' ? 'does not have the right form' : `must be like ${examples}`}. ${description}`.trim()
}

// What each branch of an alternative accepts, as it is written in JSON.
function formsOf (schema: unknown): string[] {
  if (!isRecord(schema)) return []
  const { anyOf, type, properties } = schema
  if (Array.isArray(anyOf)) return anyOf.flatMap(formsOf)
  if ('const' in schema) return [String(schema.const)]
  if (isRecord(properties)) return [`{${Object.keys(properties).map((name) => `"${name}": ...`).join(', ')}}`]
  return [TYPES[String(type)] ?? String(type)]
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function listOf (value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
