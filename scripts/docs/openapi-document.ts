import { readFile } from './page.ts'

/** An operation of the API. */
export interface Operation {
  readonly id: string
  readonly method: string
  readonly path: string
  readonly summary: string
}

// `npm run openapi -- --check` holds this file against the application.
const document = JSON.parse(readFile('openapi/openapi.json'))

type Methods = Record<string, { operationId: string, summary: string }>

/** The operations, in the order of the document. */
export const OPERATIONS: readonly Operation[] = Object.entries<Methods>(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId, summary }]) =>
    ({ id: operationId, method: method.toUpperCase(), path, summary })
  )
)

/** The members that only some problems have, with their meanings. */
export const PROBLEM_MEMBERS: ReadonlyArray<{ name: string, description: string }> = problemMembers()

function problemMembers () {
  const { schemas } = document.components
  const { required, properties } = schemas.Problem
  return Object.entries<{ description: string, $ref?: string }>(properties)
    .filter(([name]) => !required.includes(name) && name !== 'errors')
    .map(([name, { description, $ref }]) => {
      return { name, description: $ref === undefined ? description : schemas[$ref.split('/').at(-1) ?? ''].description }
    })
}
