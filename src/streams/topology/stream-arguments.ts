import { StreamsError } from '../errors.ts'

/** The arguments a stream is created with. The broker has a default for each absent one. */
export interface StreamArguments {
  /** The broker removes the oldest segments when the stream is larger. */
  maxLengthBytes?: number | undefined
  /** The broker removes segments that are older. Written as the broker does: `^[1-9][0-9]*[YMDhms]$`. */
  maxAge?: string | undefined
  maxSegmentSizeBytes?: number | undefined
  /** The number of members. */
  initialClusterSize?: number | undefined
  leaderLocator?: 'client-local' | 'balanced' | undefined
  filterSizeBytes?: number | undefined
}

// The names in the stream protocol. As arguments of a queue they begin with `x-`.
const NAMES = [
  ['maxLengthBytes', 'max-length-bytes'], ['maxAge', 'max-age'],
  ['maxSegmentSizeBytes', 'stream-max-segment-size-bytes'], ['initialClusterSize', 'initial-cluster-size'],
  ['leaderLocator', 'queue-leader-locator'], ['filterSizeBytes', 'stream-filter-size-bytes']
] as const satisfies ReadonlyArray<readonly [keyof StreamArguments, string]>

const API_NAMES: ReadonlyMap<string, string> = new Map(NAMES.map(([name, wireName]) => [`x-${wireName}`, name]))

// Every value is checked here because the broker does not refuse a bad one: its connection crashes, or it silently
// keeps the stream for ever.
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

/** Renames the arguments of the stream's queue to those of `StreamArguments`. Unknown ones keep their names. */
export function decodeArguments (queueArguments: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = Object.entries(queueArguments).filter(([name]) => name !== 'x-queue-type')
  return Object.fromEntries(known.map(([name, value]) => [API_NAMES.get(name) ?? name, value]))
}

/** The names of the arguments that differ. */
export function differentArguments (wanted: StreamArguments, existing: Readonly<Record<string, unknown>>): string[] {
  return NAMES.map(([name]) => name).filter((name) => String(wanted[name]) !== String(existing[name]))
}

function refuseOutside (name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return
  throw new StreamsError('invalid_argument', `${name} is an integer from ${least} to ${most}`)
}
