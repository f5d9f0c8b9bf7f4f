import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { Deadline } from '../common/deadline.ts'
import { pause } from '../common/wait.ts'
import type { ConnectionPool } from '../connections/connection-pool.ts'
import { StreamsError } from '../errors.ts'
import type { ManagementClient } from '../management/management-client.ts'
import { isSuperStreamExchange } from '../management/super-stream-listing.ts'
import { ResponseCode, ResponseError } from '../protocol/index.ts'
import type { Locator } from './locator.ts'
import type { PartitionLists } from './partition-lists.ts'
import type { Permissions } from './permissions.ts'
import { encodeArguments, type StreamArguments } from './stream-arguments.ts'
import type { StreamAdmin } from './stream-admin.ts'
import type { StreamNames } from './stream-names.ts'
import type { SuperStreams } from './super-streams.ts'

/** A super stream to create, by the names of the broker. */
export interface NewSuperStream {
  readonly superStream: string
  readonly partitions: readonly string[]
  readonly bindingKeys: readonly string[]
  /** Of each partition. */
  readonly args: StreamArguments
}

export interface SuperStreamAdminOptions {
  connections: ConnectionPool
  names: StreamNames
  locator: Locator
  superStreams: SuperStreams
  /** Compares what a partition was created with. */
  streams: StreamAdmin
  lists: PartitionLists
  management: ManagementClient | undefined
  /** Of a caller's user: it is not told of streams that it may not use. */
  permissions?: Permissions | undefined
  requestTimeoutMs: number
}

// Beyond the usual time for an answer: the broker makes one partition after the other.
const MS_A_PARTITION = 250
// How long another request that creates the same super stream is waited for. It binds the streams at the end.
const CREATION_MS = 3000

/** Creates and deletes super streams. The names are those of the broker. */
export class SuperStreamAdmin {
  readonly #options: SuperStreamAdminOptions

  constructor (options: SuperStreamAdminOptions) {
    this.#options = options
  }

  /**
   * Creates the super stream, unless it is there with the same partitions.
   *
   * When the broker cannot create a partition it takes back what it has created. When its node fails meanwhile, streams
   * may be left that are bound to nothing: the next call names them.
   *
   * @returns what was there already: its partitions in their order; undefined when it was created
   * @throws StreamsError `super_stream_differs`, `invalid_argument`, `access_refused`, `stream_not_available` when the
   *   broker could not create all; `stream_arguments_differ`
   */
  async create (wanted: NewSuperStream): Promise<readonly string[] | undefined> {
    const { connections, requestTimeoutMs } = this.#options
    const { superStream, partitions } = wanted
    const args = encodeArguments(wanted.args)
    if ((await this.#existing([superStream])).length > 0) throw this.#differs('a stream has this name', [superStream])
    connections.isolate(superStream) // the connection does nothing else meanwhile
    try {
      const connection = await connections.connection('streams', superStream)
      await connection.createSuperStream({ ...wanted, args }, requestTimeoutMs + partitions.length * MS_A_PARTITION)
      return undefined
    } catch (error) {
      const code = error instanceof ResponseError ? error.responseCode : undefined
      if (code === ResponseCode.streamAlreadyExists) return await this.#compare(wanted)
      throw createFailure(error)
    } finally {
      this.#forget(superStream, partitions)
    }
  }

  /**
   * Deletes the super stream and its partitions.
   *
   * @param refuse throws when the caller may not delete these partitions
   * @returns the partitions that it had
   * @throws StreamsError `super_stream_not_found`, `access_refused`, ...
   */
  async delete (superStream: string, refuse: (partitions: readonly string[]) => void): Promise<readonly string[]> {
    const { connections, lists, requestTimeoutMs } = this.#options
    lists.forget(superStream)
    const partitions = await this.#toDelete(superStream)
    refuse(partitions)
    for (const stream of [superStream, ...partitions]) connections.isolate(stream)
    try {
      const connection = await connections.connection('streams', superStream)
      await connection.deleteSuperStream(superStream, requestTimeoutMs + partitions.length * MS_A_PARTITION)
      return partitions
    } catch (error) {
      const failure = classify(error, 'possible')
      throw failure.code === 'stream_not_found' ? notFound() : failure
    } finally {
      this.#forget(superStream, partitions)
    }
  }

  // The broker deletes every exchange and all streams behind it. An exchange without streams may be anything.
  async #toDelete (superStream: string): Promise<readonly string[]> {
    const { lists, superStreams, management } = this.#options
    try {
      return (await lists.of(superStream, 'delete')).partitions
    } catch (error) {
      if (classify(error).code !== 'super_stream_not_found' || management === undefined) throw error
      const isEmpty = (await superStreams.boundTo(superStream))?.length === 0
      if (isEmpty && await isSuperStreamExchange(management, superStream)) return []
      throw error
    }
  }

  async #compare ({ superStream, partitions, args }: NewSuperStream): Promise<readonly string[]> {
    const { superStreams, streams, names } = this.#options
    const deadline = new Deadline(CREATION_MS)
    const backoff = new Backoff(20, 500)
    for (;;) {
      const bound = await superStreams.boundTo(superStream)
      const found = [...new Set(bound)]
      const missing = partitions.filter((name) => !found.includes(name))
      const unexpected = found.filter((name) => !partitions.includes(name))
      if (missing.length === 0 && unexpected.length === 0) {
        for (const stream of found) {
          await streams.compare(stream, args).catch((error) => {
            throw classify(error).inPartition(names.fromBroker(stream) ?? stream)
          })
        }
        return found
      }
      if (bound === undefined || unexpected.length > 0 || deadline.hasPassed) {
        throw await this.#difference(found, missing, unexpected)
      }
      // Another request may be creating it.
      await pause(backoff.nextMs())
    }
  }

  async #difference (found: string[], missing: string[], unexpected: string[]): Promise<StreamsError> {
    const left = missing.length === 0 ? [] : await this.#existing(missing)
    if (found.length === 0 && left.length === 0) {
      return this.#differs('an exchange of this name exists without any partition', [])
    }
    if (found.length === 0) {
      return this.#differs('no super stream has these streams, which have the names of its partitions: ' +
        `${this.#shown(left)}. A creation that was cut short leaves such streams: delete them first`, left)
    }
    return this.#differs('the super stream exists with other partitions' +
      (missing.length > 0 ? `; it lacks ${this.#shown(missing)}` : '') +
      (unexpected.length > 0 ? `; it has ${this.#shown(unexpected)} besides` : ''), found)
  }

  // Of these names, those that streams have.
  async #existing (names: readonly string[]): Promise<string[]> {
    const { connections, permissions } = this.#options
    try {
      const shown = await permissions?.known(names) ?? names
      const answer = shown.length === 0
        ? []
        : await connections.ask('streams', undefined, async (connection) => {
          return await connection.metadata(shown)
        })
      return answer.filter(({ responseCode }) => responseCode === ResponseCode.ok ||
        responseCode === ResponseCode.streamNotAvailable).map(({ stream }) => stream)
    } catch (error) {
      throw classify(error)
    }
  }

  #differs (message: string, partitions: readonly string[]): StreamsError {
    return new StreamsError('super_stream_differs', message, {
      details: { partitions: partitions.flatMap((name) => this.#options.names.fromBroker(name) ?? []) }
    })
  }

  #shown (streams: readonly string[]): string {
    const { names } = this.#options
    return streams.map((stream) => JSON.stringify(names.fromBroker(stream) ?? stream)).join(', ')
  }

  #forget (superStream: string, partitions: readonly string[]): void {
    const { lists, superStreams, locator } = this.#options
    lists.forget(superStream)
    superStreams.forget(superStream)
    for (const partition of partitions) locator.forget(partition)
  }
}

function createFailure (error: unknown): StreamsError {
  if (error instanceof ResponseError) {
    if (error.responseCode === ResponseCode.preconditionFailed) {
      const message = 'the broker refuses it: it has more partitions than RabbitMQ allows (1000, by default), or the ' +
        'virtual host may not have that many queues'
      return new StreamsError('invalid_argument', message, { cause: error })
    }
    if (error.responseCode === ResponseCode.internalError) {
      const message = 'the broker could not create all partitions, and takes back what it has created; the same ' +
        'request may be made again'
      return new StreamsError('stream_not_available', message, { sideEffects: 'possible', cause: error })
    }
  }
  return classify(error, 'possible')
}

function notFound (): StreamsError {
  return new StreamsError('super_stream_not_found', 'the super stream does not exist')
}
