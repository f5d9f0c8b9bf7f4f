import { Type } from '@sinclair/typebox'
import { exactIntegerSchema } from './exact-integer.ts'

/** A number that the broker keeps and that any client may have stored: all 64 bits of it. */
export function storedNumber (description: string) {
  return Type.Unsafe<bigint | number | string>(exactIntegerSchema(description))
}

/** The same, or null. */
export function storedNumberOrNull (description: string) {
  const { anyOf, ...rest } = exactIntegerSchema(description)
  return Type.Unsafe<bigint | number | string | null>({ ...rest, anyOf: [...anyOf, Type.Null()] })
}
