const status = 'Literal[value>=100][value<600]'

/** Where a status is set. Comparing one is allowed: it was received, from the management API for example. */
const set = [
  `CallExpression[callee.property.name=/^(code|status|writeHead)$/] > ${status}.arguments:first-child`,
  `Property[key.name=/^(status|statusCode)$/] > ${status}.value`,
  `Property[key.value=/^(status|statusCode)$/] > ${status}.value`,
  `PropertyDefinition[key.name=/^(status|statusCode)$/] > ${status}.value`,
  `AssignmentExpression[left.property.name=/^(status|statusCode)$/] > ${status}.right`
]

/**
 * Below the routes there are no HTTP statuses: a problem is a code there, and the edge makes a status of it.
 * @type {import('eslint').Rule.RuleModule}
 */
export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: { status: 'No HTTP status here. Throw an error with a code: api/problems gives each code its status.' }
  },
  create (context) {
    return {
      /** @param {import('eslint').Rule.Node} node */
      [set.join(', ')] (node) { context.report({ node, messageId: 'status' }) }
    }
  }
}
