import { isBuiltin } from 'node:module'
import { forEachImport, isRelative } from '../imports.js'
import { covers, placeOf, roomOf, targetOf } from '../places.js'
import { packages } from '../rooms.js'

/**
 * Holds every import to the table of rooms.
 * @type {import('eslint').Rule.RuleModule}
 */
export default {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      unknownRoom: '{{ place }} lies in no room. Give it one in lint/rooms.js.',
      arrow: '{{ room }} may not import {{ target }}. It may import: {{ allowed }} (lint/rooms.js).',
      package: '{{ room }} may not import the package {{ name }}. Allowed for: {{ allowed }} (lint/rooms.js).'
    }
  },
  create (context) {
    const place = placeOf(context.filename)
    const room = roomOf(place)
    if (room === undefined) {
      return { Program (node) { context.report({ node, messageId: 'unknownRoom', data: { place } }) } }
    }
    return forEachImport((specifier, node) => {
      if (isRelative(specifier)) {
        const target = placeOf(targetOf(context.filename, specifier))
        if (roomOf(target)?.name === room.name || room.arrows.some((arrow) => covers(arrow, target))) return
        const data = { room: room.name, target, allowed: listOf(room.arrows) }
        context.report({ node, messageId: 'arrow', data })
      } else {
        const name = packageOf(specifier)
        const allowed = packages[name] ?? (name.startsWith('node:') ? undefined : [])
        if (allowed === undefined || allowed.some((user) => covers(user, place))) return
        context.report({ node, messageId: 'package', data: { room: room.name, name, allowed: listOf(allowed) } })
      }
    })
  }
}

/**
 * The package of a specifier: `@scope/name` of `@scope/name/file`, `node:fs` of `fs/promises`.
 * @param {string} specifier
 */
function packageOf (specifier) {
  const name = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/')
  return isBuiltin(name) && !name.startsWith('node:') ? `node:${name}` : name
}

/** @param {readonly string[]} names */
function listOf (names) {
  return names.length === 0 ? 'nothing' : names.join(', ')
}
