import { classify } from '../classify.ts'
import { Backoff } from '../common/backoff.ts'
import { shuttingDown } from '../ended.ts'
import { Deadline } from '../common/deadline.ts'
import { within } from '../common/wait.ts'
import type { StreamsError } from '../errors.ts'
import { RequestTimeoutError, type Connection, type ConnectionClosedError } from '../protocol/index.ts'
import type { Logger } from '../common/logger.ts'
import { connectErrorOf, isLoss } from './connect-error.ts'
import { Isolation } from './isolation.ts'
import { Opener, type Endpoint, type OpenerOptions, type Role } from './opener.ts'
import type { SharedConnection } from './shared-connection.ts'
import type { Slot, SlotOwner } from './slot.ts'

export type { Endpoint } from './opener.ts'

export interface ConnectionPoolOptions extends OpenerOptions {
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

// One attempt is lost to the stream that is the reason, one more to another such stream at the same moment.
const MAX_ATTEMPTS = 4

/**
 * The process's connections to the broker. Their number follows from the places that are taken on them, never from the
 * number of HTTP clients.
 */
export class ConnectionPool {
  readonly #options: ConnectionPoolOptions
  readonly #groups = new Map<string, Group>()
  readonly #isolation = new Isolation()
  readonly #closing = new AbortController()
  readonly #opener: Opener
  #opened = 0
  #lost = 0

  constructor (options: ConnectionPoolOptions) {
    this.#options = options
    this.#opener = new Opener(options, this.#closing.signal)
  }

  /**
   * A place on a connection to the node, which the owner has to `enter`.
   *
   * @throws StreamsError `broker_unavailable`, at once while the last attempt has just failed
   */
  async takeSlot (role: 'publish' | 'consume', node: Endpoint, owner: SlotOwner): Promise<Slot> {
    const group = this.#group(role, node, owner.stream, owner.isNamed)
    for (;;) {
      for (const shared of group.connections) {
        const slot = shared.hasRoom ? shared.take(owner) : undefined
        if (slot !== undefined) return slot
      }
      await this.#openIn(group)
    }
  }

  /**
   * Sends an idempotent request that needs no place, to any node or to the one given, and again when its connection is
   * lost: see `repeat`.
   *
   * @param about the stream that the request is about
   * @param request may run several times
   * @throws what `repeat` throws
   */
  async ask<T> (
    role: Role, about: string | undefined, request: (connection: Connection) => Promise<T>, node?: Endpoint
  ): Promise<T> {
    return await this.repeat(async () => await request(await this.connection(role, about, node)))
  }

  /**
   * Does what is idempotent, and does it again on a new connection when its connection was lost: another stream's
   * request may be the reason, and the stream that is the reason is isolated then. The deadline of one request holds
   * for all attempts together.
   *
   * @throws ConnectionClosedError, StreamsError when every attempt has lost its connection
   * @throws StreamsError at once when the broker cannot be reached; what `act` throws
   */
  async repeat<T> (act: () => Promise<T>): Promise<T> {
    const { requestTimeoutMs } = this.#options.open
    const deadline = new Deadline(requestTimeoutMs)
    for (let attempt = 1; ; attempt++) {
      try {
        if (attempt === 1) return await act() // its connection holds the deadline
        const done = await within(act().then((value) => ({ value })), { timeoutMs: deadline.remainingMs })
        if (done !== undefined) return done.value
        throw new RequestTimeoutError('request', requestTimeoutMs)
      } catch (error) {
        const isOver = attempt === MAX_ATTEMPTS || deadline.hasPassed || this.#closing.signal.aborted
        if (isOver || !isLoss(error)) throw error
      }
    }
  }

  /** A connection for one request that needs no place and must not be repeated by itself. */
  async connection (role: Role, about: string | undefined, node?: Endpoint): Promise<Connection> {
    const group = this.#group(role, node, about)
    for (const shared of group.connections) {
      if (shared.isOpen) return shared.use()
    }
    return (await this.#openIn(group)).use()
  }

  /** Call this before a stream is deleted: requests that meet the deletion may end their connection. */
  isolate (stream: string): void {
    this.#isolation.isolate(stream)
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

  // Publishers with a name are not on one connection with publishers without. What a named one asks the broker can end
  // its connection, and what the others have sent could not be sent again. What is asked on connections for 'streams'
  // (metadata, create, delete) does not end them.
  #group (role: Role, node: Endpoint | undefined, stream?: string, isNamed = false): Group {
    const lane = stream === undefined || role === 'streams' ? undefined : this.#isolation.laneOf(stream)
    const key = keyOf(role, node) + (isNamed ? ' named' : '') + (lane === undefined ? '' : ` lane ${lane}`)
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
    const shared = await this.#opener.open(group.role, group.node, (shared, error, node) => {
      if (endedAtARequest(error) && error.unansweredStream !== undefined) this.isolate(error.unansweredStream)
      if (!group.connections.delete(shared) || this.#closing.signal.aborted) return
      this.#lost++
      this.#options.logger.warn({ role: group.role, node, err: classify(error) }, 'a connection to the broker was lost')
    })
    this.#opened++
    group.connections.add(shared)
    if (!shared.isOpen) group.connections.delete(shared) // it was closed before it was in the set
    return shared
  }
}

function keyOf (role: Role, node: Endpoint | undefined): string {
  return node === undefined ? role : `${role} ${node.host}:${node.port}`
}

// A connection's process in the broker that fails says nothing: the connection ends, or is reset. A broker that is shut
// down, or closes the connection on purpose, sends a reason.
function endedAtARequest ({ closedBy, responseCode, cause }: ConnectionClosedError): boolean {
  if (closedBy === 'us' || responseCode !== undefined) return false
  return closedBy === 'peer' || (cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET')
}
