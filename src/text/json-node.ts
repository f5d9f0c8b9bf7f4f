/** A JSON value that is read step by step. */
export type JsonObject = Record<string, unknown>

/** Whether a value is an object of JSON: not an array, not null. */
export function isJsonObject (value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The objects among the members of an object or an array; none of anything else. */
export function objectsIn (value: unknown): JsonObject[] {
  return typeof value === 'object' && value !== null ? Object.values(value).filter(isJsonObject) : []
}
