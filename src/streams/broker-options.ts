import type { Endpoint } from './connections/connection-pool.ts'
import type { Logger } from './common/logger.ts'
import type { Authentication, ConnectionOptions, TlsOptions } from './protocol/index.ts'

export interface BrokerOptions {
  /** Any of the cluster's nodes. */
  hosts: readonly Endpoint[]
  tls?: TlsOptions | undefined
  authentication: Authentication
  virtualHost: string
  /** How the connections introduce themselves; the management UI shows it. */
  client?: ConnectionOptions['client']
  /**
   * `advertised`: go to the nodes by the addresses the broker advertises. `configured`: only to `hosts` (a load
   * balancer, Docker).
   */
  addressMode: 'advertised' | 'configured'
  management?: { url: string, username: string, password: string, ca?: string | undefined } | undefined
  /** Contains `{name}` once. */
  streamNamePattern: string
  connectTimeoutMs: number
  requestTimeoutMs: number
  confirmTimeoutMs: number
  managementTimeoutMs: number
  heartbeatSeconds: number
  /** Pauses between attempts to connect: the first, and what they grow to. */
  reconnectDelayMs: number
  maxReconnectDelayMs: number
  /** A connection without publishers and subscriptions that nobody has used for so long is closed. */
  connectionIdleMs: number
  frameMaxBytes: number
  publishBudgetBytes: number
  readBudgetBytes: number
  readerWindowBytes: number
  maxPublishers: number
  maxReaders: number
  readerIdleMs: number
  publisherIdleMs: number
  maxExpandedSubEntryBytes: number
  logger: Logger
}
