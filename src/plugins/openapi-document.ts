/**
 * Adds to the document what the generator cannot know: which parts are optional, and the header that every answer has.
 *
 * @param optionalBodies the operationIds of the operations that may be called without their body
 */
export function completeDocument (document: object, optionalBodies: ReadonlySet<string>): void {
  for (const operation of operationsOf(document)) {
    // A parameter with a default is always present in the handler, but the caller may leave it out.
    for (const parameter of listOf(operation.parameters)) {
      if (isRecord(parameter.schema) && 'default' in parameter.schema) parameter.required = false
    }
    // Path parameters first: they say what an operation is about.
    if (Array.isArray(operation.parameters)) {
      operation.parameters = operation.parameters.toSorted((a, b) => Number(isInPath(b)) - Number(isInPath(a)))
    }
    const { requestBody } = operation
    if (isRecord(requestBody) && optionalBodies.has(String(operation.operationId))) requestBody.required = false
    if (!isRecord(operation.responses)) continue
    for (const response of listOf(Object.values(operation.responses))) {
      response.headers = {
        'x-request-id': { $ref: '#/components/headers/RequestId' },
        ...(isRecord(response.headers) && response.headers)
      }
    }
  }
}

/** Headers that responses refer to. */
export const COMMON_RESPONSE_HEADERS = {
  RequestId: {
    description:
      'The `x-request-id` of the request when that is up to 128 letters, digits and `._~:/+=@-`, else a new one.',
    schema: { type: 'string' as const }
  }
}

/** The operations of an OpenAPI document. */
export function operationsOf (document: object): Array<Record<string, unknown>> {
  const paths = 'paths' in document && isRecord(document.paths) ? Object.values(document.paths) : []
  return listOf(paths).flatMap((path) => listOf(Object.values(path))).filter((operation) => 'operationId' in operation)
}

function isInPath (parameter: unknown): boolean {
  return isRecord(parameter) && parameter.in === 'path'
}

function listOf (values: unknown): Array<Record<string, unknown>> {
  return Array.isArray(values) ? values.filter(isRecord) : []
}

function isRecord (value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
