/**
 * `draining` means that the process is shutting down, and nothing else. Errors with this code are made in one file, by
 * a function that all others call.
 * @type {import('eslint').Rule.RuleModule}
 */
export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: { draining: '`draining` means shutting down: take the error from shuttingDown() of streams/ended.ts.' }
  },
  create (context) {
    return {
      /** @param {import('eslint').Rule.Node} node */
      'NewExpression[callee.name=/Error$/] > Literal[value="draining"].arguments:first-child' (node) {
        context.report({ node, messageId: 'draining' })
      }
    }
  }
}
