import { isJsonObject, objectsIn, type JsonObject } from '../text/json-node.ts'

interface Link {
  readonly from: string
  readonly to: string
  readonly description: string
  /** Parameters of the operation that is led to, other than those that both have in their path. */
  readonly parameters?: Readonly<Record<string, string>>
}

const FIRST_READ = '$response.body#/messages/0/offset'

// The way of a message: a stream is created, a message is published, read, and its offset is stored.
const LINKS: readonly Link[] = [
  { from: 'createStream', to: 'publishMessages', description: 'Publish to the stream.' },
  { from: 'createStream', to: 'describeStream', description: 'See where the stream begins and ends.' },
  { from: 'publishMessages', to: 'readAsConsumer', description: 'Read what was published, as a consumer.' },
  { from: 'publishMessages', to: 'readMessages', description: 'Read what was published.' },
  { from: 'publishLines', to: 'readLines', description: 'Read the lines.' },
  { from: 'publishRaw', to: 'readMessages', description: 'Read what was published.' },
  {
    from: 'readMessages',
    to: 'readMessages',
    description: 'Read on.',
    parameters: { offset: '$response.body#/nextOffset' }
  },
  {
    from: 'readMessages',
    to: 'readMessage',
    description: 'Read the first message alone.',
    parameters: { offset: FIRST_READ }
  },
  { from: 'readMessages', to: 'readRaw', description: 'Read its body alone.', parameters: { offset: FIRST_READ } },
  {
    from: 'readAsConsumer',
    to: 'storeOffset',
    description: 'Say which message is processed.'
  },
  {
    from: 'readAsConsumer',
    to: 'readAsConsumer',
    description: 'Say that the first message is processed, and read on.',
    parameters: { commit: FIRST_READ }
  },
  { from: 'storeOffset', to: 'getStoredOffset', description: 'See what is stored.' },
  { from: 'storeOffset', to: 'readAsConsumer', description: 'Read the messages after the stored offset.' },
  { from: 'getStoredOffset', to: 'resetOffset', description: 'Read from another place.' },
  { from: 'resetOffset', to: 'readAsConsumer', description: 'Read from the new place.' }
]

/** Adds the links to the successful answers of a document, in place. Operations that it does not have are left out. */
export function addLinks (document: JsonObject): void {
  const paths = Object.entries(isJsonObject(document.paths) ? document.paths : {})
  const operations = new Map(paths.flatMap(([path, item]) =>
    objectsIn(item).map((operation) => [String(operation.operationId), { path, operation }] as const)
  ))
  for (const { from, to, description, parameters } of LINKS) {
    const source = operations.get(from)
    const target = operations.get(to)
    if (source === undefined || target === undefined) continue
    const inBothPaths = pathParameters(target.path).filter((name) => pathParameters(source.path).includes(name))
    const own = Object.fromEntries(inBothPaths.map((name) => [name, `$request.path.${name}`]))
    for (const response of successesOf(source.operation)) {
      response.links = {
        ...(isJsonObject(response.links) && response.links),
        [to]: {
          operationId: to,
          description,
          parameters: { ...own, ...parameters }
        }
      }
    }
  }
}

function successesOf ({ responses }: JsonObject): JsonObject[] {
  return Object.entries(isJsonObject(responses) ? responses : {})
    .flatMap(([status, response]) => /^20[01]$/.test(status) && isJsonObject(response) ? [response] : [])
}

function pathParameters (path: string): string[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
}
