import { Backoff } from '../common/backoff.ts'
import type { StreamsError } from '../errors.ts'
import type { Endpoint, Role } from './opener.ts'
import type { SharedConnection } from './shared-connection.ts'

export interface GroupOptions {
  readonly role: Role
  readonly node: Endpoint | undefined
  readonly reconnectDelayMs: number
  readonly maxReconnectDelayMs: number
}

/**
 * The connections to one node for one purpose, of which only the last may have free places, and what is known of
 * reaching the node.
 */
export class Group {
  readonly role: Role
  readonly node: Endpoint | undefined
  readonly connections = new Set<SharedConnection>()
  /** Replaced by newer ones: they end when what was asked on them is answered. */
  readonly #replaced = new Set<SharedConnection>()
  readonly backoff: Backoff
  opening: Promise<SharedConnection> | undefined
  lastFailure: { readonly error: StreamsError, readonly retryAtMs: number } | undefined

  constructor ({ role, node, reconnectDelayMs, maxReconnectDelayMs }: GroupOptions) {
    this.role = role
    this.node = node
    this.backoff = new Backoff(reconnectDelayMs, maxReconnectDelayMs)
  }

  get all (): SharedConnection[] {
    return [...this.connections, ...this.#replaced]
  }

  get size (): number {
    return this.connections.size + this.#replaced.size
  }

  get isOfNoUse (): boolean {
    return this.size === 0 && this.opening === undefined && this.lastFailure === undefined
  }

  /** Those that were not used since then, by performance.now(). */
  unusedSince (beforeMs: number): SharedConnection[] {
    return this.all.filter((shared) => shared.isQuiet && shared.lastUsedMs <= beforeMs)
  }

  /** From now on requests use other connections than this one. */
  replace (shared: SharedConnection): void {
    if (this.connections.delete(shared)) this.#replaced.add(shared)
  }

  /** Those that were replaced and have nothing more to wait for, by performance.now(). */
  replacedBefore (beforeMs: number): SharedConnection[] {
    return [...this.#replaced].filter((shared) => shared.lastUsedMs <= beforeMs)
  }

  /** It has ended, or is about to. False when it was removed before. */
  remove (shared: SharedConnection): boolean {
    return this.connections.delete(shared) || this.#replaced.delete(shared)
  }
}
