import type { Chunk } from './chunk.ts'
import type { PublishingIds } from './commands/publish-confirm.ts'
import type { ChunkError, ConnectionClosedError } from './errors.ts'
import type { OffsetSpec } from './offset-spec.ts'

/**
 * Certificates and keys as PEM. The broker's certificate is always verified: against `ca` if given, otherwise against
 * the authorities that Node knows.
 */
export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** The server name to request and to find in the certificate. Default: the host. */
  readonly servername?: string
}

export type Authentication =
  | { readonly mechanism: 'PLAIN', readonly username: string, readonly password: string }
  /** The broker takes the user's name from the client certificate. */
  | { readonly mechanism: 'EXTERNAL' }

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly tls?: TlsOptions
  readonly authentication: Authentication
  readonly virtualHost: string
  /** Shown in the broker's management UI. */
  readonly connectionName: string
  /** How the client identifies itself to the broker. */
  readonly client?: { readonly product: string, readonly version: string, readonly platform?: string }
  /** The most we ask for; the broker may ask for less. */
  readonly frameMaxBytes: number
  /** The longest interval we ask for; 0: no heartbeats, and a vanished peer is not noticed. */
  readonly heartbeatSeconds: number
  /**
   * From the first packet to the open connection. The broker takes three seconds to refuse a password.
   */
  readonly connectTimeoutMs: number
  /** For the answer to each request on the open connection, and for the close handshake. */
  readonly requestTimeoutMs: number
  readonly handlers: ConnectionHandlers
}

/**
 * Answers a consumer update: an active consumer continues at `spec`, or without it where its subscription starts. Does
 * nothing the second time, or when the connection has ended.
 */
export type AnswerUpdate = (spec?: OffsetSpec) => void

/** Called while the socket is read, in the order of the frames. A handler that throws ends its connection only. */
export interface ConnectionHandlers {
  /** The ids are valid only until this returns. */
  confirmed (publisherId: number, publishingIds: PublishingIds): void
  publishFailed (publisherId: number, publishingId: number, responseCode: number): void
  /** `committedChunkId`: undefined when the broker does not send it or has none. */
  delivered (subscriptionId: number, chunk: Chunk, committedChunkId: number | undefined): void
  /** A chunk is damaged. It used up one credit. Without this handler it ends the connection. */
  deliveryFailed? (subscriptionId: number, error: ChunkError): void
  /** The broker has dropped the stream's publishers and subscriptions of this connection. */
  metadataUpdated (responseCode: number, stream: string): void
  creditRefused (subscriptionId: number, responseCode: number): void
  /**
   * The broker asks a single active consumer to become active, or no longer to be. To be answered in any case, in the
   * order of the updates and within a minute, after which the broker closes the connection. Until it is answered nobody
   * else becomes active. Without this handler it is answered at once.
   */
  consumerUpdated? (subscriptionId: number, isActive: boolean, answer: AnswerUpdate): void
  /** Called exactly once after `Connection.open` has resolved. Nothing is called afterwards. */
  closed (error: ConnectionClosedError): void
  /** The operating system has taken everything written, after `needsDrain` was true. */
  drained? (): void
  /**
   * A request got no answer in time, and no byte at all has arrived since it was sent: the peer is gone, or no longer
   * reads.
   */
  silent? (): void
}
