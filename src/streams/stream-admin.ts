import { classify } from './classify.ts'
import type { ConnectionPool, Endpoint } from './connections/connection-pool.ts'
import type { Locator } from './connections/locator.ts'
import { StreamsError } from './errors.ts'
import type { Logger } from './logger.ts'
import type { ManagementClient } from './management/management-client.ts'
import { describeManagedStream, type ManagedStream } from './management/stream-listing.ts'
import { ResponseCode, ResponseError } from './protocol/index.ts'
import type { StreamEnds } from './readers/stream-ends.ts'

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

export interface StreamDescription {
  /** The first offset that is still there. */
  readonly firstOffset: number
  /** The offset after the last one: the next message gets this one or a later one, for the broker's own records take offsets too. */
  readonly nextOffset: number
  /** `host:port` as the broker advertises it; null while there is none. */
  readonly leader: string | null
  readonly replicas: readonly string[]
  /** What follows only when the management API answered. */
  readonly arguments?: Readonly<Record<string, unknown>>
  readonly segments?: number
  readonly sizeBytes?: number
}

// What the broker would do with a bad value: crash the connection, or keep the stream for ever without a word. So nothing unchecked gets there.
const MAX_AGE = /^[1-9][0-9]{0,8}[YMDhms]$/
export interface StreamAdminOptions {
  connections: ConnectionPool
  locator: Locator
  ends: StreamEnds
  management: ManagementClient | undefined
  logger: Logger
}

/** Creates, describes and deletes streams. Names are the broker's. */
export class StreamAdmin {
  readonly #options: StreamAdminOptions

  constructor (options: StreamAdminOptions) {
    this.#options = options
  }

  /** @throws StreamsError `stream_arguments_differ`, `invalid_argument`, `access_refused`, ... */
  async create (stream: string, args: StreamArguments): Promise<'created' | 'exists'> {
    const wireArguments = encodeArguments(args)
    try {
      const connection = await this.#options.connections.connection('streams')
      await connection.createStream(stream, wireArguments)
      return 'created'
    } catch (error) {
      if (error instanceof ResponseError && error.responseCode === ResponseCode.streamAlreadyExists) return 'exists'
      if (error instanceof ResponseError && error.responseCode === ResponseCode.preconditionFailed) {
        throw new StreamsError('stream_arguments_differ', 'the name is taken by a stream with other arguments, or by a queue that is no stream', { cause: error })
      }
      throw classify(error, 'possible')
    } finally {
      this.#options.locator.forget(stream)
    }
  }

  /** @throws StreamsError `stream_not_found`, `access_refused`, ... */
  async delete (stream: string): Promise<void> {
    try {
      const connection = await this.#options.connections.connection('streams')
      await connection.deleteStream(stream)
    } catch (error) {
      throw classify(error, 'possible')
    } finally {
      this.#options.locator.forget(stream)
    }
  }

  /** @throws StreamsError `stream_not_found`, `stream_not_available`, ... */
  async describe (stream: string): Promise<StreamDescription> {
    const { leader, replicas } = await this.#options.locator.locateAfresh(stream)
    const [bounds, managed] = await Promise.all([this.#options.ends.bounds(stream), this.#managed(stream)])
    return {
      ...bounds,
      leader: leader === undefined ? null : addressOf(leader),
      replicas: replicas.map(addressOf),
      ...(managed !== undefined && { arguments: managed.arguments }),
      ...(managed?.segments !== undefined && { segments: managed.segments }),
      ...(managed?.sizeBytes !== undefined && { sizeBytes: managed.sizeBytes })
    }
  }

  async #managed (stream: string): Promise<ManagedStream | undefined> {
    const { management, logger } = this.#options
    if (management === undefined) return undefined
    try {
      return await describeManagedStream(management, stream)
    } catch (error) {
      logger.warn({ err: error }, 'the management API could not be asked; the description is a shorter one')
      return undefined
    }
  }
}

function addressOf ({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function encodeArguments (args: StreamArguments): Map<string, string> {
  const { maxLengthBytes, maxAge, maxSegmentSizeBytes, initialClusterSize, leaderLocator, filterSizeBytes } = args
  if (maxAge !== undefined && !MAX_AGE.test(maxAge)) {
    throw new StreamsError('invalid_argument', 'maxAge is a number of years (Y), months (M), days (D), hours (h), minutes (m) or seconds (s), such as 7D')
  }
  refuseOutside('maxLengthBytes', maxLengthBytes, 1, Number.MAX_SAFE_INTEGER)
  refuseOutside('maxSegmentSizeBytes', maxSegmentSizeBytes, 1, 3_000_000_000)
  refuseOutside('initialClusterSize', initialClusterSize, 1, 255)
  refuseOutside('filterSizeBytes', filterSizeBytes, 16, 255)
  const wire: ReadonlyArray<readonly [string, string | number | undefined]> = [
    ['max-length-bytes', maxLengthBytes],
    ['max-age', maxAge],
    ['stream-max-segment-size-bytes', maxSegmentSizeBytes],
    ['initial-cluster-size', initialClusterSize],
    ['queue-leader-locator', leaderLocator],
    ['stream-filter-size-bytes', filterSizeBytes]
  ]
  return new Map(wire.flatMap(([name, value]) => value === undefined ? [] : [[name, String(value)]]))
}

function refuseOutside (name: string, value: number | undefined, least: number, most: number): void {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return
  throw new StreamsError('invalid_argument', `${name} is an integer from ${least} to ${most}`)
}
