import type { OutgoingMessage } from './amqp/message.ts'
import type { StreamsError } from './errors.ts'
import type { Position } from './offset.ts'

// The face of the domain, first as signatures only.

export interface StreamArguments {
  maxLengthBytes?: number
  /** As the broker writes it: `^[1-9][0-9]*[YMDhms]$`. */
  maxAge?: string
  maxSegmentSizeBytes?: number
  initialClusterSize?: number
  leaderLocator?: 'client-local' | 'balanced'
  filterSizeBytes?: number
}

export interface StreamDescription {
  name: string
  /** The first offset that is still there. */
  firstOffset: number
  /** The offset that the next message gets, or a later one: the broker's own records take offsets too. */
  nextOffset: number
  /** `host:port` as the broker advertises them; null while there is no leader. */
  leader: string | null
  replicas: string[]
  /** The rest only when the management API answered. */
  arguments?: Record<string, unknown>
  segments?: number
  sizeBytes?: number
}

export interface PublishOptions {
  /** Publisher reference; every message of the batch then has a publishing id. */
  publisher?: string
  /** Refuse with `expectation_failed` unless the broker's last id is this. */
  expectedLastPublishingId?: bigint
  /** The caller went away: what was not yet written is not written. */
  signal?: AbortSignal
}

export interface PublishFailure {
  /** 0-based, counted over the whole request. */
  index: number
  /** `failed`: not stored. `unknown`: may have been stored. */
  status: 'failed' | 'unknown'
  error: StreamsError
}

export interface PublishResult {
  confirmed: number
  /** Not stored because the broker has this publishing id, or a later one, already. */
  duplicates: number
  /** In request order. confirmed + duplicates + failures.length is the number of messages sent. */
  failures: PublishFailure[]
}

/**
 * One publish request whose messages come bit by bit. Not for concurrent use: await each `write`.
 */
export interface PublishSession {
  /** Takes a batch; settles when there is room for the next. Throws only what ends the request. After a throw, `finish` still answers what became of the messages before it. */
  write (batch: MessageBatch): Promise<void>
  /** Settles when every message has its outcome. Call exactly once, also after a failed write. */
  finish (): Promise<PublishResult>
}

export interface ReadRequest {
  from: Position
  /** At most so many messages, 1 to 10,000. */
  limit: number
  /** Bodies and properties as stored; at least one message is returned however large. */
  maxBytes: number
  /** How long to hold an empty answer, ms. */
  waitMs: number
}

/** A message as it lies in the stream; its bytes are decoded by who wants them. */
export type ReadMessage =
  | { readonly kind: 'entry', readonly offset: number, readonly timestamp: number, readonly bytes: Uint8Array }
  /** A sub-entry batch that could not be expanded: stands for `records` messages from `offset` on. */
  | { readonly kind: 'unreadable', readonly offset: number, readonly timestamp: number, readonly bytes: Uint8Array, readonly records: number, readonly compression: string, readonly reason: string }

export interface ReadBatch {
  readonly messages: readonly ReadMessage[]
  /** Where the next read goes on; missing nothing. */
  readonly nextOffset: number
  /** Nothing readable was left when the answer was made. */
  readonly endOfStream: boolean
  /** What retention took between the wanted and the delivered offset, both ends included. */
  readonly gap?: { from: number, to: number }
  /** Whether every offset below `nextOffset` lies in a chunk that is complete: the same read gives the same bytes again. */
  readonly isImmutable: boolean
  /** Gives the memory back to the read budget. Call when the answer is flushed or dropped; twice is fine. */
  release (): void
}

export interface ConsumerReadRequest extends Omit<ReadRequest, 'from'> {
  /** Where a consumer without a stored offset starts. */
  from: Position
  /** Stored (as `storeOffset` does, with its checks) before reading. */
  commit?: number
}

export interface StoredOffset {
  storedOffset: bigint
  nextOffset: bigint
  firstOffset: number
  /** The last readable offset; null when the stream has none. */
  lastOffset: number | null
  lag: bigint
}

export type ResetTarget = Position

export interface Subscription { active: boolean, host: string, connectionName: string, offset: number | null, offsetLag: number | null }
export interface ConsumerInfo {
  name: string
  storedOffset: bigint | null
  nextOffset: bigint | null
  lag: bigint | null
  subscriptions: Subscription[]
}
export interface ConsumerList {
  consumers: ConsumerInfo[]
  sources: { management: 'ok' | 'not_configured' | 'failed', instance: 'ok' }
}
export interface PublisherInfo { name: string, lastPublishingId: bigint | null, connections: Array<{ host: string, connectionName: string }> }
export interface PublisherList {
  publishers: PublisherInfo[]
  sources: { management: 'ok' | 'not_configured' | 'failed', instance: 'ok' }
}

export interface BrokerStatus {
  /** `up`: a connection to the broker is open or could be opened just now. */
  state: 'up' | 'down'
  /** Safe to show. */
  reason: string | null
  version: string | null
}

/** Numbers for the metrics page; counters only grow. */
export interface BrokerStats {
  connections: number
  publishers: number
  readers: number
  publishBudgetUsedBytes: number
  readBudgetUsedBytes: number
  messagesConfirmed: number
  messagesDuplicate: number
  messagesFailed: number
  messagesUnknown: number
  messagesRead: number
  offsetsStored: number
  connectionsOpened: number
  connectionsLost: number
}

/** Several messages, encoded once, ready to be framed. */
export declare class MessageBatch {
  /** Number of messages. */
  readonly count: number
  /** Encoded size. */
  readonly byteLength: number
  /** Encodes a message. `publishingId` on every message of a batch or on none; ascending. */
  add (message: OutgoingMessage, publishingId?: number): void
  /** The fast way: bytes become one data section, nothing else. They are copied. */
  addData (body: Uint8Array): void
}

export interface Broker {
  listStreams (query: { prefix?: string, limit: number, cursor?: string }): Promise<{ streams: string[], nextCursor: string | null }>
  createStream (stream: string, args: StreamArguments): Promise<'created' | 'exists'>
  describeStream (stream: string): Promise<StreamDescription>
  deleteStream (stream: string): Promise<void>

  publish (stream: string, batch: MessageBatch, options?: PublishOptions): Promise<PublishResult>
  openPublish (stream: string, options?: PublishOptions): PublishSession

  read (stream: string, request: ReadRequest, signal: AbortSignal): Promise<ReadBatch>
  /** The message at exactly this offset, or `message_not_found`. */
  readMessage (stream: string, offset: number, signal: AbortSignal): Promise<{ message: ReadMessage, release (): void }>
  readAsConsumer (stream: string, consumer: string, request: ConsumerReadRequest, signal: AbortSignal): Promise<ReadBatch>

  storedOffset (stream: string, consumer: string): Promise<StoredOffset>
  storeOffset (stream: string, consumer: string, offset: number, expected?: number): Promise<{ storedOffset: bigint, nextOffset: bigint }>
  resetOffset (stream: string, consumer: string, to: ResetTarget): Promise<{ storedOffset: bigint, nextOffset: bigint }>
  listConsumers (stream: string): Promise<ConsumerList>
  listPublishers (stream: string): Promise<PublisherList>
  /** `lastPublishingId` is 0 also for a name the broker does not know: the protocol does not tell these apart. */
  publisher (stream: string, publisher: string): Promise<{ name: string, lastPublishingId: bigint }>

  status (): Promise<BrokerStatus>
  stats (): BrokerStats
  /** No new publishes; waiting polls answer now. */
  drain (): void
  close (): Promise<void>
}
