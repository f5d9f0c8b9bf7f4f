import { StreamsError } from '../errors.ts'

/** What a stream is created with; absent: the broker's default. */
export interface StreamArguments {
  /** Oldest segments go when the stream is larger. */
  maxLengthBytes?: number | undefined
  /** Oldest segments go when they are older; as the broker writes it: `^[1-9][0-9]*[YMDhms]$`. */
  maxAge?: string | undefined
  maxSegmentSizeBytes?: number | undefined
  /** Number of members. */
  initialClusterSize?: number | undefined
  leaderLocator?: 'client-local' | 'balanced' | undefined
  filterSizeBytes?: number | undefined
}

// And how the stream protocol calls them. As the arguments of a queue they have `x-` before that.
const NAMES = [
  ['maxLengthBytes', 'max-length-bytes'], ['maxAge', 'max-age'],
  ['maxSegmentSizeBytes', 'stream-max-segment-size-bytes'], ['initialClusterSize', 'initial-cluster-size'],
  ['leaderLocator', 'queue-leader-locator'], ['filterSizeBytes', 'stream-filter-size-bytes']
] as const satisfies ReadonlyArray<readonly [keyof StreamArguments, string]>

const API_NAMES: ReadonlyMap<string, string> = new Map(NAMES.map(([name, wireName]) => [`x-${wireName}`, name]))

// What the broker would do with a bad value: crash the connection, or keep the stream for ever without a word. So
// nothing unchecked gets there.
const MAX_AGE = /^[1-9][0-9]{0,8}[YMDhms]$/

/** @throws StreamsError `invalid_argument` */
export function encodeArguments (args: StreamArguments): Map<string, string> {
  const { maxLengthBytes, maxAge, maxSegmentSizeBytes, initialClusterSize, filterSizeBytes } = args
  if (maxAge !== undefined && !MAX_AGE.test(maxAge)) {
    throw new StreamsError(
      'invalid_argument',
      'maxAge is a number of years (Y), months (M), days (D), hours (h), minutes (m) or seconds (s), such as 7D'
    )
  }
  refuseOutside('maxLengthBytes', maxLengthBytes, 1, Number.MAX_SAFE_INTEGER)
  refuseOutside('maxSegmentSizeBytes', maxSegmentSizeBytes, 1, 3_000_000_000)
  refuseOutside('initialClusterSize', initialClusterSize, 1, 255)
  refuseOutside('filterSizeBytes', filterSizeBytes, 16, 255)
  return new Map(NAMES.flatMap(([name, wireName]) => args[name] === undefined ? [] : [[wireName, String(args[name])]]))
}

/** The arguments of a stream as its queue has them, under the names that it is created with. Others keep their own. */
export function decodeArguments (queueArguments: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = Object.entries(queueArguments).filter(([name]) => name !== 'x-queue-type')
  return Object.fromEntries(known.map(([name, value]) => [API_NAMES.get(name) ?? name, value]))
}

/** The names of those that differ. */
export function differentArguments (wanted: StreamArguments, existing: Readonly<Record<string, unknown>>): string[] {
  return NAMES.map(([name]) => name).filter((name) => String(wanted[name]) !== String(existing[name]))
}

function refuseOutside (name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return
  throw new StreamsError('invalid_argument', `${name} is an integer from ${least} to ${most}`)
}
