import { classify } from '../classify.ts'
import type { ConnectionPool, Endpoint } from '../connections/connection-pool.ts'
import type { Locator } from './locator.ts'
import { StreamsError } from '../errors.ts'
import type { Logger } from '../common/logger.ts'
import type { ManagementClient, SourceState } from '../management/management-client.ts'
import { describeManagedStream, type ManagedStream } from '../management/stream-listing.ts'
import { ResponseCode, ResponseError } from '../protocol/index.ts'
import type { Permissions } from './permissions.ts'
import type { SuperStreams } from './super-streams.ts'
import type { Bounds, StreamEnds } from './stream-ends.ts'
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

export interface CreatedStream {
  readonly outcome: 'created' | 'exists'
  /** What the stream has. Undefined when only the management API could tell, and there is none. */
  readonly arguments: Readonly<Record<string, unknown>> | undefined
}

export interface StreamAdminOptions {
  connections: ConnectionPool
  locator: Locator
  superStreams: SuperStreams
  ends: StreamEnds
  management: ManagementClient | undefined
  /** Of a caller's user: it is not told the arguments of streams that it may not read. */
  permissions?: Permissions | undefined
  logger: Logger
}

/** Creates, describes and deletes streams. The names are those of the broker. */
export class StreamAdmin {
  readonly #options: StreamAdminOptions

  constructor (options: StreamAdminOptions) {
    this.#options = options
  }

  /**
   * Creates the stream, unless it is there. Arguments that are not given are not compared.
   *
   * @throws StreamsError `stream_arguments_differ`, `super_stream_exists`, `invalid_argument`, `access_refused`;
   *   `management_unavailable` when only the management API could compare, and does not answer
   */
  async create (stream: string, args: StreamArguments): Promise<CreatedStream> {
    const wireArguments = encodeArguments(args)
    await this.#options.superStreams.refuseSuperStream(stream)
    return await this.#createOrCompare(stream, args, wireArguments)
  }

  /**
   * Compares the arguments of a stream that is there with these. Arguments that are not given are not compared.
   *
   * @throws StreamsError `stream_arguments_differ`, and what `create` throws; `stream_not_found`
   */
  async compare (stream: string, args: StreamArguments): Promise<void> {
    if (Object.values(args).every((value) => value === undefined)) return
    const { outcome } = await this.#createOrCompare(stream, args, encodeArguments(args))
    if (outcome === 'exists') return
    // It was deleted a moment ago. The broker compares only when it is asked to create.
    await this.delete(stream, true)
    throw new StreamsError('stream_not_found', 'the stream does not exist')
  }

  async #createOrCompare (
    stream: string, args: StreamArguments, wireArguments: ReturnType<typeof encodeArguments>
  ): Promise<CreatedStream> {
    const { connections, locator } = this.#options
    try {
      const connection = await connections.connection('streams', stream)
      await connection.createStream(stream, wireArguments)
      return { outcome: 'created', arguments: { ...args } }
    } catch (error) {
      // The broker compares all arguments: with this code they are the same.
      if (hasCode(error, ResponseCode.streamAlreadyExists)) return { outcome: 'exists', arguments: { ...args } }
      if (hasCode(error, ResponseCode.preconditionFailed)) return await this.#compare(stream, args, error)
      throw classify(error, 'possible')
    } finally {
      locator.forget(stream)
    }
  }

  /**
   * @param mayBePartition delete it also when it is a partition of a super stream
   * @throws StreamsError `stream_not_found`, `stream_is_partition`, `access_refused`, ...
   */
  async delete (stream: string, mayBePartition: boolean): Promise<void> {
    const { connections, superStreams } = this.#options
    if (!mayBePartition) await superStreams.refusePartition(stream)
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

  /** @throws StreamsError what `describe` throws */
  async bounds (stream: string): Promise<Bounds> {
    return await this.#options.ends.bounds(stream)
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

  // The broker says only that the name is taken by something with other arguments, not which ones differ.
  async #compare (stream: string, args: StreamArguments, cause: unknown): Promise<CreatedStream> {
    const { management, permissions } = this.#options
    const isHidden = permissions !== undefined && !await permissions.may('read', stream)
    const managed = management === undefined || isHidden ? undefined : await describeManagedStream(management, stream)
    const differ = (message: string): StreamsError => new StreamsError('stream_arguments_differ', message, { cause })
    if (managed?.isStream === false) throw differ('the name is taken by a queue that is not a stream')
    if (managed !== undefined) {
      const existing = decodeArguments(managed.arguments)
      const names = differentArguments(args, existing)
      if (names.length === 0) return { outcome: 'exists', arguments: existing }
      throw differ(`the stream exists with other values of: ${names.join(', ')}`)
    }
    if (Object.values(args).some((value) => value !== undefined)) {
      throw differ('the name is taken by a stream with other or more arguments, or by a queue that is not a stream')
    }
    // Nothing is to be compared. It may still be a queue that is not a stream, of which the broker knows no location.
    try {
      await this.#options.locator.locateAfresh(stream)
    } catch (error) {
      const failure = classify(error)
      if (failure.code === 'stream_not_found') throw differ('the name is taken by a queue that is not a stream')
      if (failure.code !== 'stream_not_available') throw failure
    }
    return { outcome: 'exists', arguments: undefined }
  }
}

function hasCode (error: unknown, code: number): error is ResponseError {
  return error instanceof ResponseError && error.responseCode === code
}

function addressOf ({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}
