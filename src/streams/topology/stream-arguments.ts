import { StreamsError } from '../errors.ts'

/** The arguments a stream is created with. The broker has a default for each absent one. */
export interface StreamArguments {
  /** The broker removes the oldest segments when the stream is larger. */
  maxLengthBytes?: number | undefined
  /** The broker removes segments that are older. Written as the broker does, such as `7D`. */
  maxAge?: string | undefined
  maxSegmentSizeBytes?: number | undefined
  /** The number of members. */
  initialClusterSize?: number | undefined
  leaderLocator?: 'client-local' | 'balanced' | undefined
  filterSizeBytes?: number | undefined
}

interface ArgumentRule {
  /** Its name in the stream protocol. As the argument of a queue it has `x-` before that. */
  readonly wireName: string
  /** In the words of JSON Schema, which the API uses as they are. */
  readonly bounds?: { readonly pattern: string } | { readonly minimum: number, readonly maximum: number }
}

/**
 * Every argument, with what it may be. The broker does not check arguments that come over the stream protocol: a
 * malformed age ends the connection, or silently keeps the stream for ever. So nothing malformed gets there.
 */
export const STREAM_ARGUMENTS = {
  maxLengthBytes: { wireName: 'max-length-bytes', bounds: { minimum: 1, maximum: Number.MAX_SAFE_INTEGER } },
  maxAge: { wireName: 'max-age', bounds: { pattern: '^[1-9][0-9]{0,8}[YMDhms]$' } },
  maxSegmentSizeBytes: { wireName: 'stream-max-segment-size-bytes', bounds: { minimum: 1, maximum: 3_000_000_000 } },
  initialClusterSize: { wireName: 'initial-cluster-size', bounds: { minimum: 1, maximum: 255 } },
  leaderLocator: { wireName: 'queue-leader-locator' },
  filterSizeBytes: { wireName: 'stream-filter-size-bytes', bounds: { minimum: 16, maximum: 255 } }
} as const satisfies Record<keyof StreamArguments, ArgumentRule>

const RULES: ReadonlyArray<readonly [keyof StreamArguments, ArgumentRule]> =
  Object.keys(STREAM_ARGUMENTS).filter(isArgument).map((name) => [name, STREAM_ARGUMENTS[name]])

const API_NAMES: ReadonlyMap<string, string> = new Map(RULES.map(([name, { wireName }]) => [`x-${wireName}`, name]))

/** @throws StreamsError `invalid_argument` */
export function encodeArguments (args: StreamArguments): Map<string, string> {
  const encoded = new Map<string, string>()
  for (const [name, { wireName, bounds }] of RULES) {
    const value = args[name]
    if (value === undefined) continue
    if (bounds !== undefined) refuseOutside(name, value, bounds)
    encoded.set(wireName, String(value))
  }
  return encoded
}

/** Renames the arguments of the stream's queue to those of `StreamArguments`. Unknown ones keep their names. */
export function decodeArguments (queueArguments: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const known = Object.entries(queueArguments).filter(([name]) => name !== 'x-queue-type')
  return Object.fromEntries(known.map(([name, value]) => [API_NAMES.get(name) ?? name, value]))
}

/** The names of the given arguments that differ. */
export function differentArguments (wanted: StreamArguments, existing: Readonly<Record<string, unknown>>): string[] {
  return RULES.map(([name]) => name)
    .filter((name) => wanted[name] !== undefined && String(wanted[name]) !== String(existing[name]))
}

function refuseOutside (name: string, value: number | string, bounds: NonNullable<ArgumentRule['bounds']>): void {
  if ('pattern' in bounds) {
    if (new RegExp(bounds.pattern).test(String(value))) return
    throw new StreamsError(
      'invalid_argument',
      `${name} is a number of years (Y), months (M), days (D), hours (h), minutes (m) or seconds (s), such as 7D`
    )
  }
  const { minimum, maximum } = bounds
  if (Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum) return
  throw new StreamsError('invalid_argument', `${name} is an integer from ${minimum} to ${maximum}`)
}

function isArgument (name: string): name is keyof StreamArguments {
  return Object.hasOwn(STREAM_ARGUMENTS, name)
}
