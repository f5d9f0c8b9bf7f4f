import type { Logger } from './common/logger.ts'
import type { CallersPool, Endpoint } from './connections/connection-pool.ts'
import type { ManagementClient } from './management/management-client.ts'
import type { Authentication, ConnectionOptions, TlsOptions } from './protocol/index.ts'
import type { PublisherPoolLimits } from './publishing/publisher-pool.ts'
import type { ReaderPoolLimits } from './reading/reader-pool.ts'
import type { ReadShare, Shared, SharedLimits } from './shared.ts'

/** What is the same for every broker of the process. */
export interface CommonOptions {
  connection: BrokerConnectionOptions
  /** Contains `{name}` once. */
  streamNamePattern: string
  /** Streams of the broker whose names begin with it belong to the gateway itself: its callers do not see them. */
  hiddenStreamPrefix?: string | undefined
  publishing: PublisherPoolLimits
  reading: ReaderPoolLimits
  logger: Logger
}

export interface BrokerSetOptions extends CommonOptions {
  /** Of all brokers together. */
  limits: SharedLimits
  management?:
    { url: string; username: string; password: string; ca?: string | undefined; timeoutMs: number } | undefined
}

export interface BrokerOptions extends CommonOptions {
  shared: Shared
  /** What its readers share with others; undefined: with all that have no other one. */
  reads?: ReadShare | undefined
  /** With the gateway's own account, for every caller. */
  management: ManagementClient | undefined
  /** For a broker with the credentials of a caller, which is shown nothing that RabbitMQ does not show its user. */
  caller?: CallersPool | undefined
}

export interface BrokerConnectionOptions {
  /** Any of the cluster's nodes. */
  hosts: readonly Endpoint[]
  tls?: TlsOptions | undefined
  authentication: Authentication
  virtualHost: string
  /** How the connections introduce themselves; the management UI shows it. */
  client?: ConnectionOptions['client']
  /** `advertised`: go to the nodes by the addresses the broker advertises. `configured`: only to `hosts`. */
  addressMode: 'advertised' | 'configured'
  connectTimeoutMs: number
  requestTimeoutMs: number
  heartbeatSeconds: number
  frameMaxBytes: number
  /** Pauses between attempts to connect: the first one, and the longest. */
  reconnectDelayMs: number
  maxReconnectDelayMs: number
  /** A connection without publishers and subscriptions that was not used for this time is closed. */
  connectionIdleMs: number
}
