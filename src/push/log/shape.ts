/** Whether a value that comes from outside has a type. */
export type Check<T> = (value: unknown) => value is T

/** An object with these fields. It may have others: another version of the gateway may have written it. */
export function shape<T extends object> (fields: { readonly [Name in keyof T]: Check<T[Name]> }): Check<T> {
  const checks: ReadonlyArray<[string, Check<unknown>]> = Object.entries(fields)
  return (value): value is T => {
    if (!isObject(value)) return false
    return checks.every(([name, check]) => check(Object.hasOwn(value, name) ? value[name] : undefined))
  }
}

/** A value of one of these types. */
export function anyOf<T extends readonly unknown[]> (
  ...checks: { readonly [Index in keyof T]: Check<T[Index]> }
): Check<T[number]> {
  const all: ReadonlyArray<Check<unknown>> = checks
  return (value): value is T[number] => all.some((check) => check(value))
}

/** One of these values. */
export function oneOf<const T extends string | number | null | undefined> (...values: readonly T[]): Check<T> {
  const known: ReadonlySet<unknown> = new Set(values)
  return (value): value is T => known.has(value)
}

export function listOf<T> (check: Check<T>): Check<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every((item) => check(item))
}

/** An object whose fields may have any name. */
export function recordOf<T> (check: Check<T>): Check<Readonly<Record<string, T>>> {
  return (value): value is Readonly<Record<string, T>> => {
    return isObject(value) && Object.values(value).every((item) => check(item))
  }
}

export const isString: Check<string> = (value): value is string => typeof value === 'string'
export const isBoolean: Check<boolean> = (value): value is boolean => typeof value === 'boolean'
export const isNumber: Check<number> = (value): value is number => typeof value === 'number' && Number.isFinite(value)
/** An offset, a version, a count. */
export const isCount: Check<number> = (value): value is number => Number.isSafeInteger(value) && Number(value) >= 0

function isObject (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
