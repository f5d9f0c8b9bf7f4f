import { ENTRY_LENGTH_BYTES, fieldText, PROPERTY_INDEX, type TextField } from '../../streams/index.ts'
import type { PushMessage } from './push-message.ts'

const APPLICATION_PROPERTY = 'applicationProperties.'

/**
 * What says which messages are delivered in order. The function returns the text of the field, undefined when a message
 * has none.
 *
 * @param orderingKey see `Definition`
 */
export function keyReader (orderingKey: string | null): (message: PushMessage) => string | undefined {
  const field = fieldOf(orderingKey ?? '')
  return ({ place }) => place.kind === 'run'
    ? fieldText(place.data, place.start + ENTRY_LENGTH_BYTES, place.end, field)
    : undefined
}

function fieldOf (orderingKey: string): TextField {
  if (orderingKey === 'properties.subject') return { in: 'properties', index: PROPERTY_INDEX.subject }
  if (!orderingKey.startsWith(APPLICATION_PROPERTY)) return { in: 'properties', index: PROPERTY_INDEX.groupId }
  return { in: 'applicationProperties', key: Buffer.from(orderingKey.slice(APPLICATION_PROPERTY.length)) }
}
