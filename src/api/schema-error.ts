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
    case 'enum':
      return { pointer: instancePath, message: `must be one of ${listOf(params.allowedValues).join(', ')}` }
    case 'type':
      return { pointer: instancePath, message: `must be ${[params.type].flat().join(' or ')}` }
    case 'minLength':
      return { pointer: instancePath, message: params.limit === 1 ? 'must not be empty' : message }
    case 'anyOf':
    case 'pattern':
      return { pointer: instancePath, message: `does not have an accepted form. ${descriptionOf(parentSchema)}`.trim() }
    default:
      return { pointer: instancePath, message }
  }
}

function descriptionOf (schema: object = {}): string {
  return 'description' in schema ? String(schema.description) : ''
}

function listOf (value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
