import type { Chunk } from './chunk.ts'
import type { PublishingIds } from './commands/publish-confirm.ts'
import type { ChunkError, ConnectionClosedError } from './errors.ts'
import type { OffsetSpec } from './offset-spec.ts'

/**
 * PEM. The broker's certificate is always verified, against `ca` when given, else against the authorities that Node
 * knows.
 */
export interface TlsOptions {
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** The name to ask for and to find in the certificate. Default: the host. */
  readonly servername?: string
}

export type Authentication =
  | { readonly mechanism: 'PLAIN', readonly username: string, readonly password: string }
  /** The broker takes the name from the client certificate. */
  | { readonly mechanism: 'EXTERNAL' }

export interface ConnectionOptions {
  readonly host: string
  readonly port: number
  readonly tls?: TlsOptions
  readonly authentication: Authentication
  readonly virtualHost: string
  /** Shown by the broker's management. */
  readonly connectionName: string
  /** How the client calls itself towards the broker. */
  readonly client?: { readonly product: string, readonly version: string, readonly platform?: string }
  /** What we ask for at most; the broker may want less. */
  readonly frameMaxBytes: number
  /** The interval we ask for at most; 0: no heartbeats, and a peer that vanished is not noticed. */
  readonly heartbeatSeconds: number
  /**
   * For the whole way from the first packet to an open connection. A refused password takes the broker three seconds.
   */
  readonly connectTimeoutMs: number
  /** For the answer to each request on the open connection, and for the close handshake. */
  readonly requestTimeoutMs: number
  readonly handlers: ConnectionHandlers
}

/** Called on the socket's turn, in the order of the frames. One that throws ends its connection and nothing else. */
export interface ConnectionHandlers {
  /** The ids are only valid until this returns. */
  confirmed (publisherId: number, publishingIds: PublishingIds): void
  publishFailed (publisherId: number, publishingId: number, responseCode: number): void
  /** `committedChunkId`: undefined when the broker does not say or has none. */
  delivered (subscriptionId: number, chunk: Chunk, committedChunkId: number | undefined): void
  /** A chunk came that is damaged; it used up a credit. Without this handler it ends the connection. */
  deliveryFailed? (subscriptionId: number, error: ChunkError): void
  /** The stream's publishers and subscriptions of this connection are gone. */
  metadataUpdated (responseCode: number, stream: string): void
  creditRefused (subscriptionId: number, responseCode: number): void
  /**
   * Where the single active consumer goes on; undefined: where the subscription said. Without this handler: undefined.
   */
  consumerUpdated? (subscriptionId: number, isActive: boolean): OffsetSpec | undefined
  /** Exactly once after `Connection.open` resolved; nothing is called afterwards. */
  closed (error: ConnectionClosedError): void
  /** Everything written has gone to the operating system, after `needsDrain` was true. */
  drained? (): void
  /**
   * A request got no answer in time, and not a byte of anything else has come since it was sent: the peer is gone, or
   * has stopped to read.
   */
  silent? (): void
}
