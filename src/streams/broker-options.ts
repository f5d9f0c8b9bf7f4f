import type { ByteBudget } from './common/budget.ts'
import type { Logger } from './common/logger.ts'
import type { Endpoint } from './connections/connection-pool.ts'
import type { Authentication, ConnectionOptions, TlsOptions } from './protocol/index.ts'
import type { PublisherPoolLimits } from './publishing/publisher-pool.ts'
import type { ReaderPoolLimits } from './reading/reader-pool.ts'

export interface BrokerOptions {
  connection: BrokerConnectionOptions
  management?:
    { url: string; username: string; password: string; ca?: string | undefined; timeoutMs: number } | undefined
  /** Contains `{name}` once. */
  streamNamePattern: string
  publishing: PublisherPoolLimits
  reading: ReaderPoolLimits
  /** Shared by all brokers of the process: the limits on memory are the process's. */
  budgets: Budgets
  logger: Logger
}

export interface Budgets {
  /** Bytes of messages that wait for confirms. */
  readonly publish: ByteBudget
  /** Bytes of chunks in memory, of all readers and of the answers that are being written. */
  readonly read: ByteBudget
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
