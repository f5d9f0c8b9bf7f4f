import { STATUS_CODES } from 'node:http'
import { isJsonObject, objectsIn, type JsonObject } from '../text/json-node.ts'

interface Place {
  readonly holder: JsonObject | unknown[]
  readonly key: string | number
  readonly name: string
  readonly value: JsonObject
}

type Kind = 'parameters' | 'headers' | 'responses'

/**
 * Moves what operations repeat to the components of a document, in place: parameters, headers, and the responses for
 * problems. Of several parameters or headers with one name the one that is used most goes there, and the others stay
 * where they are. Responses have names that tell little: the second one is `NotFound2`.
 */
export function shareComponents (document: JsonObject): void {
  const components = isJsonObject(document.components) ? document.components : {}
  const operations = objectsIn(document.paths).flatMap(objectsIn)
  share(components, 'headers', operations.flatMap(headersOf))
  share(components, 'parameters', operations.flatMap(parametersOf))
  share(components, 'responses', operations.flatMap(problemsOf))
}

function share (components: JsonObject, kind: Kind, places: readonly Place[]): void {
  const known = components[kind]
  const shared: JsonObject = isJsonObject(known) ? { ...known } : {}
  for (const [name, ofName] of groupBy(places, ({ name }) => name)) {
    const groups = [...groupBy(ofName, ({ value }) => JSON.stringify(value)).values()]
      .sort((a, b) => b.length - a.length)
    for (const [index, group] of (kind === 'responses' ? groups : groups.slice(0, 1)).entries()) {
      const own = index === 0 ? name : `${name}${index + 1}`
      const [first] = group
      if (first === undefined || group.length < 2 || own in shared) continue
      shared[own] = first.value
      for (const { holder, key } of group) Reflect.set(holder, key, { $ref: `#/components/${kind}/${own}` })
    }
  }
  components[kind] = shared
}

function headersOf (operation: JsonObject): Place[] {
  return objectsIn(operation.responses).flatMap(({ headers }) => placesIn(headers, (name) => pascal(name)))
}

function parametersOf (operation: JsonObject): Place[] {
  return placesIn(operation.parameters, (_key, { in: place, name }) => pascal(`${String(place)}-${String(name)}`))
}

// A response with a success of its own is not shared: two operations that answer alike today may differ tomorrow.
function problemsOf (operation: JsonObject): Place[] {
  return placesIn(operation.responses, (status) => pascal(STATUS_CODES[status] ?? ''))
    .filter(({ key }) => Number(key) >= 400)
}

function placesIn (holder: unknown, nameOf: (key: string, value: JsonObject) => string): Place[] {
  if (!Array.isArray(holder) && !isJsonObject(holder)) return []
  return Object.entries(holder).flatMap(([key, value]) => {
    return isJsonObject(value) && !('$ref' in value) ? [{ holder, key, name: nameOf(key, value), value }] : []
  })
}

/** `x-request-id`, `firstOffset` and `Not Found` as names of types. */
function pascal (text: string): string {
  return text.replace(/^x-/, '').split(/[^A-Za-z0-9]+/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function groupBy<T> (values: readonly T[], keyOf: (value: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const value of values) {
    const key = keyOf(value)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [value])
    else group.push(value)
  }
  return groups
}
