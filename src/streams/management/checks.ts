import type { Unchecked } from './management-client.ts'

export function isObject (value: Unchecked): value is Record<string, Unchecked> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects in an array. All other elements are skipped. */
export function objectsIn (value: Unchecked): Array<Record<string, Unchecked>> {
  return Array.isArray(value) ? value.filter(isObject) : []
}

export function textIn (object: Record<string, Unchecked>, key: string): string | undefined {
  const value = object[key]
  return typeof value === 'string' ? value : undefined
}

export function numberIn (object: Record<string, Unchecked>, key: string): number | undefined {
  const value = object[key]
  return typeof value === 'number' ? value : undefined
}
