import { StreamsError, type Broker } from '../streams/index.ts'
import { isPauseCause } from './definitions/definition.ts'
import type { Subscription } from './definitions/definitions.ts'
import type { SubscriptionStatus } from './push-port.ts'
import type { StatusRecord } from './status/status-record.ts'
import { slotOf, sourceOf, unitId, type Unit } from './unit.ts'

/** What this instance knows of all others. */
export interface KnownStatus {
  readonly of: (unit: string) => StatusRecord | undefined
  /** The instance that has the slot, as far as this one knows. */
  readonly ownerOf: (slot: number) => string | undefined
  /** How many slots there are; undefined until that is known. */
  readonly slots: number | undefined
}

type State = Pick<SubscriptionStatus, 'state' | 'reason'>

/**
 * What a unit does at the moment, put together from the definition, the last word of its owner and what is stored.
 *
 * @param broker names are the API's
 * @throws StreamsError `stream_not_found`, ...
 */
export async function statusOf (
  unit: Unit, subscription: Subscription, known: KnownStatus, broker: Broker
): Promise<SubscriptionStatus> {
  const record = known.of(unitId(unit))
  const stored = await storedOf(broker, sourceOf(unit), subscription.definition.consumer)
  const state = stateOf(unit, subscription, known, record)
  if (record?.generation === subscription.generation) {
    return { ...state, record, ...stored, nextOffset: record.nextOffset }
  }
  // What was said before a reset is said of another place.
  const past = record && { ...record, retry: null, consecutiveFailures: 0, missed: 0 }
  return { ...state, record: past, ...stored }
}

/** The same, of a subscription of a super stream that does not exist. */
export function statusWithoutSource ({ key, definition: { paused } }: Subscription): SubscriptionStatus {
  const state: State = paused === null
    ? { state: 'blocked', reason: `the super stream "${key.stream}" does not exist` }
    : { state: 'paused', reason: paused }
  return { ...state, record: undefined, ...NOTHING }
}

function stateOf (
  unit: Unit, { definition: { paused } }: Subscription, known: KnownStatus, record: StatusRecord | undefined
): State {
  if (paused !== null) return { state: 'paused', reason: paused }
  const owner = known.slots === undefined ? undefined : known.ownerOf(slotOf(unit, known.slots))
  if (owner === undefined) return { state: 'unassigned', reason: 'no instance delivers it at the moment' }
  if (record === undefined || record.owner !== owner) {
    return { state: 'unassigned', reason: `the instance ${owner} is taking it over` }
  }
  if (record.state === 'stopped') {
    // The last word from before a resume.
    return isPauseCause(record.reason)
      ? { state: 'unassigned', reason: `the instance ${owner} is about to continue` }
      : { state: 'blocked', reason: record.reason }
  }
  return { state: record.state, reason: record.reason }
}

type StoredPlace = Pick<SubscriptionStatus, 'storedOffset' | 'nextOffset' | 'lag'>

const NOTHING: StoredPlace = { storedOffset: null, nextOffset: null, lag: null }

async function storedOf (broker: Broker, stream: string, consumer: string): Promise<StoredPlace> {
  try {
    const { storedOffset, nextOffset, lag } = await broker.consumers.storedOffset(stream, consumer)
    const place = { storedOffset: Number(storedOffset), nextOffset: Number(nextOffset) }
    return { ...place, lag: lag === null ? null : Number(lag) }
  } catch (error) {
    // The stream may be gone too, or be without a leader: the status says what the owner says then.
    if (error instanceof StreamsError && NO_PLACE.has(error.code)) return NOTHING
    throw error
  }
}

const NO_PLACE = new Set<string>([
  'consumer_offset_not_found', 'stream_not_found', 'super_stream_not_found', 'stream_not_available'
])
