import { handleCommand } from './broker-commands.ts'
import type { Channel } from './channel.ts'
import type { Request } from './commands/command.ts'
import { createStream } from './commands/create-stream.ts'
import { createSuperStream, type SuperStreamToCreate } from './commands/create-super-stream.ts'
import { credit } from './commands/credit.ts'
import { declarePublisher } from './commands/declare-publisher.ts'
import { deletePublisher } from './commands/delete-publisher.ts'
import { deleteStream } from './commands/delete-stream.ts'
import { deleteSuperStream } from './commands/delete-super-stream.ts'
import { exchangeCommandVersions, type CommandVersions } from './commands/exchange-command-versions.ts'
import { CommandKey, type CommandName } from './commands/keys.ts'
import { metadata, type StreamMetadata } from './commands/metadata.ts'
import { encodePublishHeader, type PublishVersion } from './commands/publish.ts'
import { partitions } from './commands/partitions.ts'
import { queryOffset } from './commands/query-offset.ts'
import { queryPublisherSequence } from './commands/query-publisher-sequence.ts'
import { resolveOffsetSpec } from './commands/resolve-offset-spec.ts'
import { route } from './commands/route.ts'
import { storeOffset } from './commands/store-offset.ts'
import { streamStats } from './commands/stream-stats.ts'
import { subscribe } from './commands/subscribe.ts'
import { unsubscribe } from './commands/unsubscribe.ts'
import { ConnectionClosedError } from './errors.ts'
import { openChannel, UNDERSTOOD, type OpenChannel } from './handshake.ts'
import type { OffsetSpec } from './offset-spec.ts'
import type { ConnectionHandlers, ConnectionOptions } from './options.ts'

/** For a request that is answered late, or when the connection ends. */
export const NO_DEADLINE = 0

/**
 * An open connection to a broker. Its commands are methods; what the broker sends by itself goes to the handlers.
 *
 * Methods that return a promise reject with `ResponseError`, `RequestTimeoutError` or `ConnectionClosedError`. Commands
 * that the broker never answers (`storeOffset`, `credit`) do nothing when the connection is not open. An argument that
 * the protocol cannot express throws a `RangeError`. The caller chooses the ids of publishers and subscriptions, from 0
 * to 255.
 */
export class Connection {
  /** The largest frame that the broker accepts, without its size field. */
  readonly frameMaxBytes: number
  /** Between two heartbeats, as both sides agreed; 0: none are sent. */
  readonly heartbeatSeconds: number
  readonly brokerVersion: string
  readonly peerProperties: ReadonlyMap<string, string>
  /** The address of the node that was reached, as the broker advertises it to clients. */
  readonly advertisedHost: string | undefined
  readonly advertisedPort: number | undefined

  readonly #channel: Channel
  readonly #commandVersions: ReadonlyMap<number, CommandVersions>
  readonly #handlers: ConnectionHandlers
  readonly #requestTimeoutMs: number

  private constructor (opened: OpenChannel, options: ConnectionOptions) {
    this.#channel = opened.channel
    this.#commandVersions = opened.commandVersions
    this.#handlers = options.handlers
    this.#requestTimeoutMs = options.requestTimeoutMs
    this.frameMaxBytes = opened.channel.frameMaxBytes
    this.heartbeatSeconds = opened.heartbeatSeconds
    this.brokerVersion = opened.brokerVersion
    this.peerProperties = opened.peerProperties
    const port = Number(opened.connectionProperties.get('advertised_port'))
    this.advertisedHost = opened.connectionProperties.get('advertised_host')
    this.advertisedPort = Number.isInteger(port) ? port : undefined
    this.#channel.listen({
      received: (key, version, reader) => { handleCommand(key, version, reader, this.#handlers, this.#channel) },
      closed: (error) => { this.#handlers.closed(error) },
      drained: () => { this.#handlers.drained?.() },
      silent: () => { this.#handlers.silent?.() }
    })
  }

  /**
   * Connects, authenticates and opens the virtual host. No handler is called before it resolves.
   *
   * @param signal ends the attempt; has no effect afterwards
   * @throws AuthenticationError, UnsupportedBrokerError, ConnectionClosedError, the reason of the signal
   */
  static async open (options: ConnectionOptions, signal?: AbortSignal): Promise<Connection> {
    return new Connection(await openChannel(options, signal), options)
  }

  get isOpen (): boolean {
    return this.#channel.isOpen
  }

  /** More is written than the operating system has taken. `drained` is called when it has taken everything. */
  get needsDrain (): boolean {
    return this.#channel.needsDrain
  }

  /** The bytes that are written and that the operating system has not yet taken. */
  get bufferedBytes (): number {
    return this.#channel.bufferedBytes
  }

  /** Whether a request has no answer yet. */
  get isAwaiting (): boolean {
    return this.#channel.isAwaiting
  }

  /** Whether the broker accepts the command in this version. It does not list the commands that it sends itself. */
  supports (command: CommandName, version = 1): boolean {
    const versions = this.#commandVersions.get(CommandKey[command])
    return versions !== undefined && versions.min <= version && version <= versions.max
  }

  /** Settles when the broker has answered something that it needs no stream for. It changes nothing. */
  async echo (): Promise<void> {
    await this.#request(exchangeCommandVersions, { commands: UNDERSTOOD })
  }

  /** Where streams live. A stream that does not exist is not an error: its metadata has the response code. */
  async metadata (streams: readonly string[]): Promise<StreamMetadata[]> {
    return await this.#request(metadata, { streams })
  }

  /** @throws ResponseError streamDoesNotExist when no exchange has the name */
  async partitions (superStream: string): Promise<string[]> {
    return await this.#request(partitions, { superStream })
  }

  /** The partitions that are bound with the key; empty when no partition is. @throws as `partitions` */
  async route (superStream: string, routingKey: string): Promise<string[]> {
    return await this.#request(route, { superStream, routingKey })
  }

  /**
   * The broker answers when all partitions are there, and works off nothing else on the connection before.
   *
   * @throws ResponseError streamAlreadyExists when an exchange has the name, or a queue that of a partition
   */
  async createSuperStream (superStream: SuperStreamToCreate, timeoutMs: number): Promise<void> {
    await this.#channel.request(createSuperStream, superStream, timeoutMs)
  }

  async deleteSuperStream (superStream: string, timeoutMs: number): Promise<void> {
    await this.#channel.request(deleteSuperStream, { superStream }, timeoutMs)
  }

  async createStream (stream: string, args: ReadonlyMap<string, string>): Promise<void> {
    await this.#request(createStream, { stream, args })
  }

  async deleteStream (stream: string): Promise<void> {
    await this.#request(deleteStream, { stream })
  }

  /** @param reference empty: no reference, and the broker does not deduplicate */
  async declarePublisher (publisherId: number, reference: string, stream: string): Promise<void> {
    await this.#request(declarePublisher, { publisherId, reference, stream })
  }

  /** Settles when the broker answers, however late, or the connection ends. Until then the id must not be reused. */
  async deletePublisher (publisherId: number): Promise<void> {
    await this.#channel.request(deletePublisher, { publisherId }, NO_DEADLINE)
  }

  /** The last publishing id of the reference; 0 also when the broker has none. */
  async queryPublisherSequence (reference: string, stream: string): Promise<bigint> {
    return await this.#request(queryPublisherSequence, { reference, stream })
  }

  /** Chunks may be delivered before this resolves. */
  async subscribe (
    subscriptionId: number,
    stream: string,
    spec: OffsetSpec,
    credit: number,
    properties: ReadonlyMap<string, string>
  ): Promise<void> {
    await this.#request(subscribe, { subscriptionId, stream, spec, credit, properties })
  }

  /** Settles as `deletePublisher` does. */
  async unsubscribe (subscriptionId: number): Promise<void> {
    await this.#channel.request(unsubscribe, { subscriptionId }, NO_DEADLINE)
  }

  /** @throws ResponseError noOffset when none is stored */
  async queryOffset (reference: string, stream: string): Promise<bigint> {
    return await this.#request(queryOffset, { reference, stream })
  }

  /** The broker does not confirm this: see `storeAndQueryOffset`. */
  storeOffset (reference: string, stream: string, offset: bigint): void {
    this.#channel.send(storeOffset, { reference, stream, offset })
  }

  /**
   * Stores an offset and queries it, in one write. On one connection the broker executes both in order, so an answer
   * other than `offset` means that it was not stored.
   */
  async storeAndQueryOffset (reference: string, stream: string, offset: bigint): Promise<bigint> {
    this.storeOffset(reference, stream, offset)
    return await this.queryOffset(reference, stream)
  }

  async streamStats (stream: string, timeoutMs = this.#requestTimeoutMs): Promise<ReadonlyMap<string, bigint>> {
    return await this.#channel.request(streamStats, { stream }, timeoutMs)
  }

  /** From RabbitMQ 4.3 on. Ask `supports('resolveOffsetSpec')` first: an older broker closes the connection. */
  async resolveOffsetSpec (stream: string, spec: OffsetSpec, properties: ReadonlyMap<string, string>): Promise<number> {
    return await this.#request(resolveOffsetSpec, { stream, spec, properties })
  }

  /** Lets the broker deliver this many more chunks. */
  credit (subscriptionId: number, credits: number): void {
    this.#channel.send(credit, { subscriptionId, credit: credits })
  }

  /**
   * Sends a Publish frame. Its outcome goes to the handlers `confirmed` and `publishFailed`.
   *
   * @param entries encoded messages one after the other, each `PublishingId uint64, Length int32, bytes`, cut anywhere.
   *   They are not copied and must not change until they are written: until `drained` is called or `bufferedBytes` is 0
   * @param version 2: each entry has a filter value, or none, before its length. Ask `supports('publish', 2)` first
   * @throws ConnectionClosedError
   * @throws RangeError when `PUBLISH_FRAME_OVERHEAD_BYTES` and the entries exceed `frameMaxBytes`; nothing is sent then
   */
  publish (
    publisherId: number, messageCount: number, entries: readonly Uint8Array[], version: PublishVersion = 1
  ): void {
    this.#channel.throwIfNotOpen()
    let entriesBytes = 0
    for (const entry of entries) entriesBytes += entry.length
    this.#channel.writeFrame(encodePublishHeader(publisherId, messageCount, entriesBytes, version), entries)
  }

  /**
   * Sends Close, waits for the answer and ends the socket. Resolves when the socket is closed, at once when it already
   * is. Pending requests may still be answered.
   */
  async close (reason = 'the client closes the connection'): Promise<void> {
    await this.#channel.close(reason, this.#requestTimeoutMs)
  }

  /** Ends the socket at once. */
  destroy (error?: Error): void {
    this.#channel.destroy(new ConnectionClosedError('us', 'the connection was destroyed', { cause: error }))
  }

  #request<Arguments, Answer> (request: Request<Arguments, Answer>, args: Arguments): Promise<Answer> {
    return this.#channel.request(request, args, this.#requestTimeoutMs)
  }
}
