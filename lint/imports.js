/**
 * Calls back for everything in a file that names another module: imports, re-exports, `import()`, `require()` and types
 * (`import type`, `import('./a.ts').A`).
 * @param {(specifier: string, node: import('eslint').Rule.Node) => void} found
 * @returns {import('eslint').Rule.RuleListener}
 */
export function forEachImport (found) {
  const literals = [
    'ImportDeclaration > Literal.source',
    'ExportNamedDeclaration > Literal.source',
    'ExportAllDeclaration > Literal.source',
    'ImportExpression > Literal.source',
    'TSImportType > Literal.source',
    'TSImportType > TSLiteralType > Literal',
    'TSExternalModuleReference > Literal',
    'CallExpression[callee.name="require"] > Literal.arguments:first-child'
  ]
  return {
    /** @param {import('eslint').Rule.Node} node */
    [literals.join(', ')] (node) {
      if (node.type === 'Literal' && typeof node.value === 'string') found(node.value, node)
    }
  }
}

/** @param {string} specifier */
export function isRelative (specifier) {
  return /^\.{0,2}\/|^\.{1,2}$/.test(specifier)
}
