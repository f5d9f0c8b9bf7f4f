/** A mapping of a YAML document. */
export type Node = Record<string, unknown>

export function isNode (value: unknown): value is Node {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The mapping at a path such as `spec.template`. @throws when there is none */
export function member (node: Node, path: string): Node {
  const found = at(node, path)
  if (!isNode(found)) throw new Error(`${path} is not a mapping`)
  return found
}

/** The mappings in the list at a path. @throws when there is none */
export function items (node: Node, path: string): Node[] {
  const found = at(node, path)
  if (!Array.isArray(found) || !found.every(isNode)) throw new Error(`${path} is not a list of mappings`)
  return found
}

/** The text at a path: a number or a boolean is not one. @throws when there is none */
export function text (node: Node, path: string): string {
  const found = at(node, path)
  if (typeof found !== 'string') throw new Error(`${path} is not a text`)
  return found
}

function at (node: Node, path: string): unknown {
  let found: unknown = node
  for (const name of path.split('.')) found = isNode(found) ? found[name] : undefined
  return found
}
