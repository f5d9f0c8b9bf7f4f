import { Backoff } from '../common/backoff.ts'
import { shuttingDown } from '../ended.ts'
import type { StreamsError } from '../errors.ts'
import type { Connection } from '../protocol/index.ts'
import type { Logger } from '../common/logger.ts'
import { connectErrorOf } from './connect-error.ts'
import { SharedConnection, type OpenOptions } from './shared-connection.ts'
import type { Slot, SlotOwner } from './slot.ts'

export interface Endpoint { readonly host: string, readonly port: number }

/**
 * What a connection is for. Publishing has connections of its own: while a disk alarm lasts, or when too much is
 * unconfirmed, the broker does not read a connection that has publishers, and everything else on it waits too.
 */
export type Role = 'publish' | 'consume' | 'offsets' | 'streams'

export interface ConnectionPoolOptions {
  hosts: readonly Endpoint[]
  /**
   * `advertised`: connect to the nodes by the addresses the broker gives. `configured`: only to `hosts`, and look which
   * node answers.
   */
  addressMode: 'advertised' | 'configured'
  open: Omit<OpenOptions, 'host' | 'port' | 'connectionName'>
  reconnectDelayMs: number
  maxReconnectDelayMs: number
  /** A connection that was not used for this time is closed. */
  connectionIdleMs: number
  logger: Logger
}

// The connections to one node for one purpose, of which only the last may have free places, and what is known of
// reaching the node.
interface Group {
  readonly role: Role
  readonly node: Endpoint | undefined
  readonly connections: Set<SharedConnection>
  readonly backoff: Backoff
  opening: Promise<SharedConnection> | undefined
  lastFailure: { readonly error: StreamsError, readonly retryAtMs: number } | undefined
}

/**
 * The process's connections to the broker. Their number follows from the places that are taken on them, never from the
 * number of HTTP clients.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions
  readonly #groups = new Map<string, Group>()
  #nextHost = 0
  readonly #closing = new AbortController()
  #opened = 0
  #lost = 0

  constructor (options: ConnectionPoolOptions) {
    this.#options = options
  }

  /**
   * A place on a connection to the node, which the owner has to `enter`.
   *
   * @throws StreamsError `broker_unavailable`, at once while the last attempt has just failed
   */
  async takeSlot (role: 'publish' | 'consume', node: Endpoint, owner: SlotOwner): Promise<Slot> {
    const group = this.#group(role, node)
    for (;;) {
      for (const shared of group.connections) {
        const slot = shared.hasRoom ? shared.take(owner) : undefined
        if (slot !== undefined) return slot
      }
      await this.#openIn(group)
    }
  }

  /** A connection for requests that need no place; to any node, or to the one given. */
  async connection (role: Role, node?: Endpoint): Promise<Connection> {
    const group = this.#group(role, node)
    for (const shared of group.connections) {
      if (shared.isOpen) return shared.use()
    }
    return (await this.#openIn(group)).use()
  }

  /** Why the last attempt to open a connection for requests without a place has failed; undefined when it has not. */
  lastFailure (role: Role): StreamsError | undefined {
    return this.#groups.get(role)?.lastFailure?.error
  }

  /** Whether a connection for requests without a place is being opened. */
  isOpening (role: Role): boolean {
    return this.#groups.get(role)?.opening !== undefined
  }

  get counts (): { open: number, opened: number, lost: number } {
    let open = 0
    for (const group of this.#groups.values()) open += group.connections.size
    return { open, opened: this.#opened, lost: this.#lost }
  }

  /** Closes connections that nothing has used for a while. */
  sweep (): void {
    const before = performance.now() - this.#options.connectionIdleMs
    for (const [key, group] of this.#groups) {
      for (const shared of group.connections) {
        if (shared.usedSlots > 0 || shared.lastUsedMs > before) continue
        group.connections.delete(shared)
        shared.connection.close('idle').catch(() => {})
      }
      if (group.connections.size === 0 && group.opening === undefined && group.lastFailure === undefined) {
        this.#groups.delete(key)
      }
    }
  }

  async close (): Promise<void> {
    this.#closing.abort(shuttingDown())
    const groups = [...this.#groups.values()]
    await Promise.allSettled(groups.map((group) => group.opening))
    await Promise.allSettled(
      groups.flatMap((group) => [...group.connections]).map((shared) => shared.connection.close('the gateway stops'))
    )
  }

  #group (role: Role, node: Endpoint | undefined): Group {
    const key = node === undefined ? role : `${role} ${node.host}:${node.port}`
    let group = this.#groups.get(key)
    if (group === undefined) {
      const { reconnectDelayMs, maxReconnectDelayMs } = this.#options
      group = {
        role,
        node,
        connections: new Set(),
        backoff: new Backoff(reconnectDelayMs, maxReconnectDelayMs),
        opening: undefined,
        lastFailure: undefined
      }
      this.#groups.set(key, group)
    }
    return group
  }

  // One attempt at a time: all who ask meanwhile share it. After a failure requests do not wait for the next attempt: a
  // quick refusal that can be retried is worth more to an HTTP client than a slow one.
  async #openIn (group: Group): Promise<SharedConnection> {
    this.#closing.signal.throwIfAborted()
    if (group.opening !== undefined) return await group.opening
    const { lastFailure } = group
    if (lastFailure !== undefined && performance.now() < lastFailure.retryAtMs) throw lastFailure.error
    group.opening = this.#attempt(group).finally(() => { group.opening = undefined })
    return await group.opening
  }

  async #attempt (group: Group): Promise<SharedConnection> {
    try {
      const shared = await this.#open(group)
      group.backoff.reset()
      group.lastFailure = undefined
      return shared
    } catch (error) {
      const failure = connectErrorOf(error)
      if (this.#closing.signal.aborted) throw failure
      group.lastFailure = { error: failure, retryAtMs: performance.now() + group.backoff.nextMs() }
      this.#options.logger.warn({ role: group.role, node: group.node, err: error }, 'could not connect to the broker')
      throw failure
    }
  }

  async #open (group: Group): Promise<SharedConnection> {
    const shared = group.node === undefined
      ? await this.#openAny(group)
      : this.#options.addressMode === 'advertised'
        ? await this.#openAt(group, group.node)
        : await this.#openBehindBalancer(group, group.node)
    this.#opened++
    group.connections.add(shared)
    if (!shared.isOpen) group.connections.delete(shared) // it was closed before it was in the set
    return shared
  }

  async #openAny (group: Group): Promise<SharedConnection> {
    const { hosts } = this.#options
    let failure: unknown
    for (let attempt = 0; attempt < hosts.length; attempt++) {
      const host = hosts[this.#nextHost % hosts.length]
      if (host === undefined) break
      try {
        return await this.#openAt(group, host)
      } catch (error) {
        failure = error
        this.#nextHost++
      }
    }
    throw failure
  }

  // A balancer decides which node answers. Connect until it is the wanted one. A publisher may use another node, which
  // passes its messages on. A subscription may not: the broker reads only from a member on the node itself.
  async #openBehindBalancer (group: Group, wanted: Endpoint): Promise<SharedConnection> {
    const attempts = Math.max(3, this.#options.hosts.length * 3)
    for (let attempt = 1; ; attempt++) {
      const shared = await this.#openAny(group)
      const { advertisedHost, advertisedPort } = shared.connection
      const isWanted =
        advertisedHost === undefined || (advertisedHost === wanted.host && advertisedPort === wanted.port)
      if (isWanted || (attempt >= attempts && group.role === 'publish')) return shared
      this.#nextHost++
      await shared.connection.close('another node was wanted')
      if (attempt >= attempts) throw new Error(`none of ${attempts} connections reached the node that holds the stream`)
    }
  }

  async #openAt (group: Group, endpoint: Endpoint): Promise<SharedConnection> {
    const { open, logger } = this.#options
    const connectionName = `rabbitmq-stream-gateway ${group.role}`
    return await SharedConnection.open(
      { ...open, host: endpoint.host, port: endpoint.port, connectionName },
      group.role === 'publish' ? 'publishers' : 'subscriptions',
      (shared, error) => {
        if (!group.connections.delete(shared) || this.#closing.signal.aborted) return
        this.#lost++
        logger.warn({ role: group.role, node: endpoint, err: error }, 'a connection to the broker was lost')
      },
      this.#closing.signal
    )
  }
}
