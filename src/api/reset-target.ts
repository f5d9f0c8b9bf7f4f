import type { Static } from '@sinclair/typebox'
import type { Position } from '../streams/index.ts'
import type { ResetTarget } from './consumer-schemas.ts'
import { invalidRequest } from './problems.ts'
import { toTimePosition } from './text-formats.ts'

/**
 * What is wrong with a reset that has the most common mistake: the position without its kind. The schema's own message
 * would not say how it is written.
 */
export function bareTarget (body: unknown): Error | undefined {
  const members = membersOf(body)
  for (const [parent, targets] of [['', members.slice(0, 20)], ['/partitions', partitionsIn(members)]] as const) {
    for (const [name, to] of targets) {
      if (parent === '' && name !== 'to') continue
      const target = bareOf(to)
      const path = `${parent}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`
      if (target !== undefined) {
        const [what, text] = target
        return invalidRequest([{ pointer: path, message: `${what} is written as {${JSON.stringify(name)}: ${text}}` }])
      }
    }
  }
  return undefined
}

/** The position that a target means. @throws RequestError at `pointer` */
export function targetOf (to: Static<typeof ResetTarget>, pointer: string): Position {
  if (typeof to === 'string') return { type: to }
  return 'offset' in to ? { type: 'offset', offset: to.offset } : toTimePosition(to.timestamp, `${pointer}/timestamp`)
}

function membersOf (value: unknown): Array<[string, unknown]> {
  return typeof value === 'object' && value !== null ? Object.entries(value) : []
}

function partitionsIn (members: ReadonlyArray<[string, unknown]>): Array<[string, unknown]> {
  return membersOf(members.find(([name]) => name === 'partitions')?.[1])
}

function bareOf (to: unknown): readonly [what: string, text: string] | undefined {
  if (typeof to === 'number' || (typeof to === 'string' && /^-?[0-9]+$/.test(to))) {
    return ['an offset', `{"offset": ${to}}`]
  }
  if (typeof to === 'string' && /^[0-9]{4}-/.test(to)) {
    return ['a time', `{"timestamp": ${JSON.stringify(to.slice(0, 40))}}`]
  }
  return undefined
}
