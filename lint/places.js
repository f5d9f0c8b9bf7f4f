import { dirname, relative, resolve } from 'node:path'
import { rooms } from './rooms.js'

const root = dirname(import.meta.dirname)

/**
 * The place of a file, as the table names it: `src/streams/errors.ts` is `streams/errors`.
 * @param {string} file absolute
 */
export function placeOf (file) {
  return relative(root, file).replace(/^src\//, '').replace(/\.[cm]?[jt]sx?$/, '')
}

/**
 * The room of a place: the longest name in the table that covers it. `routes/*` covers `routes/read/query`, whose room
 * is `routes/read`.
 * @param {string} place
 * @returns {{ name: string, arrows: readonly string[] } | undefined} nothing for a place that the table does not know
 */
export function roomOf (place) {
  return Object.entries(rooms)
    .map(([name, arrows]) => ({ name: name.endsWith('/*') ? each(name, place) : name, arrows }))
    .filter(({ name }) => covers(name, place))
    .sort((a, b) => b.name.length - a.name.length)[0]
}

/**
 * @param {string} name of a room, a folder or a file
 * @param {string} place
 */
export function covers (name, place) {
  return place === name || place.startsWith(`${name}/`)
}

/**
 * The absolute path that a relative import names.
 * @param {string} from the file with the import
 * @param {string} specifier
 */
export function targetOf (from, specifier) {
  return resolve(dirname(from), specifier)
}

/**
 * `routes/*` for `routes/read/query`: `routes/read`.
 * @param {string} pattern
 * @param {string} place
 */
function each (pattern, place) {
  const depth = pattern.split('/').length
  return place.startsWith(pattern.slice(0, -1)) ? place.split('/').slice(0, depth).join('/') : pattern
}
