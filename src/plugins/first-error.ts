import { Ajv, type ValidateFunction } from 'ajv'
import type { SchemaError } from '../api/schema-error.ts'

// A body of fewer values has few errors: all of them are told.
const FEW_VALUES = 200

/**
 * Finds the first error of a body that has many values. All errors of a body with thousands of bad values take tenths
 * of a second to find.
 */
export class FirstError {
  readonly #schema: object
  readonly #options: ConstructorParameters<typeof Ajv>[0]
  #validate: ValidateFunction | undefined

  /** @param options of Ajv, as for the check of smaller bodies */
  constructor (schema: object, options: ConstructorParameters<typeof Ajv>[0]) {
    this.#schema = schema
    this.#options = options
  }

  /** What is wrong with a body of many values; undefined when nothing is, or when it has few values. */
  of (body: unknown): readonly SchemaError[] | undefined {
    if (countValues(body, FEW_VALUES) <= FEW_VALUES) return undefined
    this.#validate ??= new Ajv({ ...this.#options, allErrors: false }).compile(this.#schema)
    return this.#validate(body) ? undefined : this.#validate.errors ?? []
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
