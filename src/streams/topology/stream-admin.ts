import { classify } from '../classify.ts'
import type { ConnectionPool, Endpoint } from '../connections/connection-pool.ts'
import type { Locator } from './locator.ts'
import { StreamsError } from '../errors.ts'
import type { Logger } from '../common/logger.ts'
import type { ManagementClient, SourceState } from '../management/management-client.ts'
import { describeManagedStream, type ManagedStream } from '../management/stream-listing.ts'
import { ResponseCode, ResponseError } from '../protocol/index.ts'
import type { StreamEnds } from './stream-ends.ts'
import { decodeArguments, differentArguments, encodeArguments, type StreamArguments } from './stream-arguments.ts'

export interface StreamDescription {
  /** The first offset that the stream still has. */
  readonly firstOffset: number
  /**
   * The offset after the last one. The next message gets this offset or a later one, because the broker's own records
   * take offsets too.
   */
  readonly nextOffset: number
  /** `host:port` as the broker advertises it; null while there is no leader. */
  readonly leader: string | null
  readonly replicas: readonly string[]
  /** The arguments it was created with, named as in `StreamArguments`. Only when the management API answered. */
  readonly arguments?: Readonly<Record<string, unknown>>
  /** Only when the management API answered and the broker has counted the segments, which it does every few seconds. */
  readonly segments?: number
  readonly sources: { readonly management: SourceState }
}

export interface StreamAdminOptions {
  connections: ConnectionPool
  locator: Locator
  ends: StreamEnds
  management: ManagementClient | undefined
  logger: Logger
}

/** Creates, describes and deletes streams. The names are those of the broker. */
export class StreamAdmin {
  readonly #options: StreamAdminOptions

  constructor (options: StreamAdminOptions) {
    this.#options = options
  }

  /** @throws StreamsError `stream_arguments_differ`, `invalid_argument`, `access_refused`, ... */
  async create (stream: string, args: StreamArguments): Promise<'created' | 'exists'> {
    const wireArguments = encodeArguments(args)
    try {
      const connection = await this.#options.connections.connection('streams', stream)
      await connection.createStream(stream, wireArguments)
      return 'created'
    } catch (error) {
      if (error instanceof ResponseError && error.responseCode === ResponseCode.streamAlreadyExists) return 'exists'
      if (error instanceof ResponseError && error.responseCode === ResponseCode.preconditionFailed) {
        throw new StreamsError('stream_arguments_differ', await this.#differenceOf(stream, args), { cause: error })
      }
      throw classify(error, 'possible')
    } finally {
      this.#options.locator.forget(stream)
    }
  }

  /** @throws StreamsError `stream_not_found`, `access_refused`, ... */
  async delete (stream: string): Promise<void> {
    const { connections } = this.#options
    connections.isolate(stream)
    try {
      const connection = await connections.connection('streams', stream)
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
    const [bounds, { source, managed }] = await Promise.all([this.#options.ends.bounds(stream), this.#managed(stream)])
    return {
      ...bounds,
      leader: leader === undefined ? null : addressOf(leader),
      replicas: replicas.map(addressOf),
      ...(managed !== undefined && { arguments: decodeArguments(managed.arguments) }),
      ...(managed?.segments !== undefined && { segments: managed.segments }),
      sources: { management: source }
    }
  }

  async #managed (stream: string): Promise<{ source: SourceState, managed?: ManagedStream | undefined }> {
    const { management, logger } = this.#options
    if (management === undefined) return { source: 'not_configured' }
    try {
      return { source: 'ok', managed: await describeManagedStream(management, stream) }
    } catch (error) {
      logger.warn({ err: error }, 'the management API could not be asked about a stream')
      return { source: 'failed' }
    }
  }

  // The broker says only that the arguments differ, not which ones.
  async #differenceOf (stream: string, args: StreamArguments): Promise<string> {
    const { managed } = await this.#managed(stream)
    if (managed?.isStream === false) return 'the name is taken by a queue that is not a stream'
    const names = managed === undefined ? [] : differentArguments(args, decodeArguments(managed.arguments))
    if (names.length > 0) return `the stream exists with other values of: ${names.join(', ')}`
    return 'the name is taken by a stream with other arguments, or by a queue that is not a stream'
  }
}

function addressOf ({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
