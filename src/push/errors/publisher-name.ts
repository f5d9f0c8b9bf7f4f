import { createHash } from 'node:crypto'
import { sourceOf, type Unit } from '../unit.ts'

const MAX_BYTES = 255

/**
 * The publisher name under which the entries of a unit are written. It has the source, because subscriptions of one
 * name may share an error stream, and the generation, because a reset may go back: the broker would drop entries of
 * lower offsets under the same name.
 */
export function publisherNameOf (unit: Unit, generation: number): string {
  const { key: { source, subscription }, redrive } = unit
  const place = redrive === '' ? [generation, sourceOf(unit)] : ['redrive', redrive]
  const name = ['push', subscription, ...place].join('.')
  if (Buffer.byteLength(name) <= MAX_BYTES) return name
  return `push.${createHash('sha256').update(JSON.stringify([source, name])).digest('base64url')}`
}
