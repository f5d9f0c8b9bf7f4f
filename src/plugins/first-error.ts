import { Ajv } from 'ajv'
import type { SchemaError } from '../api/schema-error.ts'

// A body of fewer values has few errors: all of them are told.
const FEW_VALUES = 200

/** What is wrong with a body of many values; undefined when nothing is, or when it has few values. */
export type FirstError = (body: unknown) => readonly SchemaError[] | undefined

/**
 * Finds the first error of bodies that have many values. All errors of a body with thousands of bad values take tenths
 * of a second to find.
 *
 * @param options of Ajv, as for the check of smaller bodies
 */
export function firstErrorOf (schema: object, options: ConstructorParameters<typeof Ajv>[0]): FirstError {
  const validate = new Ajv({ ...options, allErrors: false }).compile(schema)
  return (body) => {
    return countValues(body, FEW_VALUES) <= FEW_VALUES || validate(body) ? undefined : validate.errors ?? []
  }
}

// Counts no further than to `enough`, and a few more.
function countValues (json: unknown, enough: number): number {
  if (typeof json !== 'object' || json === null) return 1
  let count = 1
  for (const value of Object.values(json)) {
    if (count > enough) break
    count += countValues(value, enough - count)
  }
  return count
}
