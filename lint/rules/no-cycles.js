import { wayBetween } from '../import-graph.js'
import { forEachImport, isRelative } from '../imports.js'
import { placeOf, targetOf } from '../places.js'

/**
 * No import leads back to its own file, be it over many others. Imports of types count: a type that two files need of
 * each other belongs in a third.
 * @type {import('eslint').Rule.RuleModule}
 */
export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: { cycle: 'This import closes a circle: {{ way }}.' }
  },
  create (context) {
    const file = context.filename
    return forEachImport((specifier, node) => {
      if (!isRelative(specifier)) return
      const way = wayBetween(targetOf(file, specifier), file)
      if (way === undefined) return
      context.report({ node, messageId: 'cycle', data: { way: [file, ...way].map(placeOf).join(' -> ') } })
    })
  }
}
