import draining from './rules/draining.js'
import noCycles from './rules/no-cycles.js'
import rooms from './rules/rooms.js'
import statuses from './rules/statuses.js'

/**
 * The rules of this project about its own architecture, for eslint.config.js.
 * @type {import('eslint').ESLint.Plugin}
 */
export const architecture = {
  meta: { name: 'architecture' },
  rules: { draining, 'no-cycles': noCycles, rooms, statuses }
}
