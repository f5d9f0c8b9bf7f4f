import { isJsonObject, objectsIn, type JsonObject } from '../text/json-node.ts'
import { addLinks } from './openapi-links.ts'
import { addSecurity, SECURITY_SCHEMES } from './openapi-security.ts'
import { makeSchemasPortable } from './openapi-schemas.ts'
import { shareComponents } from './openapi-shared.ts'
import { WEBHOOKS } from './openapi-webhooks.ts'

/**
 * The document as it is published: with what its generator cannot know, in words that generators of clients read.
 *
 * @param optionalBodies the operationIds of the operations that may be called without their body
 */
export function completeDocument (generated: object, optionalBodies: ReadonlySet<string>): JsonObject {
  // A copy, because the schemas in it are those that requests are checked against.
  const document: unknown = JSON.parse(JSON.stringify(generated))
  if (!isJsonObject(document)) throw new TypeError('the document is not an object')
  for (const operation of operationsOf(document)) completeOperation(operation, optionalBodies)
  makeSchemasPortable(document)
  addLinks(document)
  document.components = { ...asObject(document.components), securitySchemes: SECURITY_SCHEMES }
  shareComponents(document)
  document.webhooks = WEBHOOKS
  return document
}

function completeOperation (operation: JsonObject, optionalBodies: ReadonlySet<string>): void {
  // A parameter with a default is always present in the handler, but the caller may leave it out.
  for (const parameter of objectsIn(operation.parameters)) {
    if (isJsonObject(parameter.schema) && 'default' in parameter.schema) parameter.required = false
  }
  // Path parameters first: they say what an operation is about.
  if (Array.isArray(operation.parameters)) {
    operation.parameters = operation.parameters.toSorted((a, b) => Number(isInPath(b)) - Number(isInPath(a)))
  }
  const { requestBody } = operation
  if (isJsonObject(requestBody)) requestBody.required = !optionalBodies.has(String(operation.operationId))
  for (const response of objectsIn(operation.responses)) {
    response.headers = {
      'x-request-id': { $ref: '#/components/headers/RequestId' },
      ...(isJsonObject(response.headers) && response.headers)
    }
    oneMediaType(response)
  }
  addSecurity(operation)
}

/**
 * Leaves the preferred media type of an answer in its content. A client that is generated sends no `Accept` of its own,
 * and with the others its batch would have the type `Batch | string`.
 */
function oneMediaType (response: JsonObject): void {
  const [preferred, ...others] = Object.entries(isJsonObject(response.content) ? response.content : {})
  if (preferred === undefined || others.length === 0) return
  // A page for people stands beside the document for programs, and is sent to clients that name no type.
  if (others.some(([type]) => type === 'text/html')) return
  response.content = Object.fromEntries([preferred])
  response['x-other-content'] = Object.fromEntries(others)
  const types = others.map(([type]) => `\`${type}\``).join(' or ')
  response.description = `${String(response.description)} With \`Accept\`, as ${types} too.`
}

/** Headers that responses refer to. */
export const COMMON_RESPONSE_HEADERS = {
  RequestId: {
    description:
      'The `x-request-id` of the request when that is up to 128 letters, digits and `._~:/+=@-`, else a new one.',
    schema: { type: 'string' as const }
  }
}

function operationsOf (document: JsonObject): JsonObject[] {
  return objectsIn(document.paths).flatMap(objectsIn).filter((operation) => 'operationId' in operation)
}

function asObject (value: unknown): JsonObject {
  return isJsonObject(value) ? value : {}
}

function isInPath (parameter: unknown): boolean {
  return isJsonObject(parameter) && parameter.in === 'path'
}
