import { classify } from '../classify.ts'
import type { Holder } from '../common/cap.ts'
import { shuttingDown } from '../ended.ts'
import type { StreamsError } from '../errors.ts'
import type { Connection, ConnectionClosedError } from '../protocol/index.ts'
import type { Logger } from '../common/logger.ts'
import { connectErrorOf, refusalOf, type Refusal } from './connect-error.ts'
import type { Dialing } from './dialing.ts'
import type { Group } from './group.ts'
import { Groups, type Member } from './groups.ts'
import { Opener, type Endpoint, type OpenerOptions, type Role, type SlotRole } from './opener.ts'
import { repeated } from './repeated.ts'
import type { SharedConnection } from './shared-connection.ts'
import type { Slot, SlotOwner } from './slot.ts'

export type { Endpoint } from './opener.ts'

export interface ConnectionPoolOptions extends OpenerOptions {
  reconnectDelayMs: number
  maxReconnectDelayMs: number
  /** A connection that was not used for this time is closed. */
  connectionIdleMs: number
  /** Shared by all pools of the process. */
  dialing: Dialing
  logger: Logger
  /** For a pool with the credentials of a caller: told when the broker refuses them, and when a connection is lost. */
  caller?: CallersPool | undefined
}

export interface CallersPool {
  whenRefused: (refusal: Refusal) => void
  whenLost: () => void
}

// The one that takes a connection sends a request on it within this time.
const IN_HAND_MS = 100

/**
 * The connections to the broker with one user's credentials. Their number follows from the places that are taken on
 * them, never from the number of HTTP clients.
 */
export class ConnectionPool implements Holder {
  readonly #options: ConnectionPoolOptions
  readonly #groups: Groups
  readonly #closing = new AbortController()
  readonly #opener: Opener
  #opened = 0
  #lost = 0

  constructor (options: ConnectionPoolOptions) {
    this.#options = options
    this.#groups = new Groups(options)
    this.#opener = new Opener(options, this.#closing.signal)
    options.dialing.connections.join(this)
  }

  /**
   * A place on a connection to the node, or to any node, which the owner has to `enter`.
   *
   * @throws StreamsError `broker_unavailable`, at once while the last attempt has just failed
   */
  async takeSlot (role: SlotRole, node: Endpoint | undefined, owner: SlotOwner): Promise<Slot> {
    const group = this.#groups.of(role, node, owner.stream, owner)
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
   * lost: see `repeated`.
   *
   * @param about the stream that the request is about
   * @param request may run several times
   * @throws what `repeated` throws
   */
  async ask<T> (
    role: Role, about: string | undefined, request: (connection: Connection) => Promise<T>, node?: Endpoint
  ): Promise<T> {
    return await this.repeat(async () => await request(await this.connection(role, about, node)))
  }

  /** See `repeated`. */
  async repeat<T> (act: () => Promise<T>): Promise<T> {
    return await repeated(act, this.#options.open.requestTimeoutMs, this.#closing.signal)
  }

  /** A connection for one request that needs no place and must not be repeated by itself. */
  async connection (role: Role, about: string | undefined, node?: Endpoint): Promise<Connection> {
    const group = this.#groups.of(role, node, about)
    for (const shared of group.connections) {
      if (shared.isOpen) return shared.use()
    }
    return (await this.#openIn(group)).use()
  }

  /** Call this before a stream is deleted: requests that meet the deletion may end their connection. */
  isolate (stream: string): void {
    this.#groups.isolate(stream)
  }

  /** Why the last attempt to open a connection for requests without a place has failed; undefined when it has not. */
  lastFailure (role: Role): StreamsError | undefined {
    return this.#groups.find(role)?.lastFailure?.error
  }

  /** Whether a connection for requests without a place is being opened. */
  isOpening (role: Role): boolean {
    return this.#groups.find(role)?.opening !== undefined
  }

  /**
   * Opens a new connection, which shows that the broker still accepts the credentials. From then on requests without a
   * place use it, and not the older ones.
   *
   * @throws StreamsError when it cannot be opened; the older ones are still used then
   */
  async renew (role: Role): Promise<void> {
    const group = this.#groups.of(role, undefined)
    const before = [...group.connections]
    await this.#openIn(group)
    for (const shared of before) group.replace(shared)
  }

  /** Ends the connections for requests without a place. */
  async end (role: Role): Promise<void> {
    const group = this.#groups.find(role)
    await Promise.all(group?.all.map(async (shared) => { await this.#end({ group, shared }) }) ?? [])
  }

  get counts (): { open: number, opened: number, lost: number } {
    return { open: this.#groups.size, opened: this.#opened, lost: this.#lost }
  }

  /**
   * Closes connections that nothing has used for a while.
   *
   * @param isRetired nothing new is to be expected: close also those that were used lately
   */
  sweep (isRetired = false): void {
    const { connectionIdleMs, open: { requestTimeoutMs } } = this.#options
    const nowMs = performance.now()
    const quietMs = nowMs - requestTimeoutMs // by then everything has an answer
    const beforeMs = isRetired ? Math.max(quietMs, nowMs - connectionIdleMs) : nowMs - connectionIdleMs
    for (const member of this.#groups.replacedBefore(quietMs)) void this.#end(member)
    for (const member of this.#groups.unusedSince(beforeMs)) void this.#end(member)
    this.#groups.tidy()
  }

  /** Closes the connection that was not used for the longest time, if nothing is under way on it. */
  letGoOfOne (): boolean {
    const [oldest] = this.#groups.unusedSince(performance.now() - IN_HAND_MS)
    if (oldest === undefined) return false
    void this.#end(oldest)
    return true
  }

  async close (): Promise<void> {
    this.#closing.abort(shuttingDown())
    const { dialing: { connections } } = this.#options
    const groups = this.#groups.all
    await Promise.allSettled(groups.map((group) => group.opening))
    await Promise.allSettled(groups.flatMap((group) => group.all.map(async (shared) => {
      if (group.remove(shared)) connections.give()
      await shared.connection.close('the gateway stops')
    })))
    connections.leave(this)
  }

  // Its place is given back at once: the broker answers to the close within moments.
  async #end ({ group, shared }: Member): Promise<void> {
    if (group.remove(shared)) this.#options.dialing.connections.give()
    await shared.connection.close('idle').catch(() => {})
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
      const failure = connectErrorOf(error, this.#options.caller !== undefined)
      if (this.#closing.signal.aborted) throw failure
      group.lastFailure = { error: failure, retryAtMs: performance.now() + group.backoff.nextMs() }
      this.#tell(group, failure, error)
      throw failure
    }
  }

  // The caller has sent it, so it is not logged as a fault of the gateway.
  #tell ({ role, node }: Group, failure: StreamsError, error: unknown): void {
    const { caller, logger } = this.#options
    const refusal = refusalOf(failure)
    if (caller === undefined || refusal === undefined) {
      logger.warn({ role, node, err: error }, 'could not connect to the broker')
    } else {
      caller.whenRefused(refusal)
    }
  }

  async #open (group: Group): Promise<SharedConnection> {
    const { dialing, logger, caller } = this.#options
    const { role } = group
    const shared = await dialing.open(this, async () => {
      return await this.#opener.open(role, group.node, (shared, error, node) => {
        if (endedAtARequest(error) && error.unansweredStream !== undefined) this.isolate(error.unansweredStream)
        if (!group.remove(shared)) return
        dialing.connections.give()
        if (this.#closing.signal.aborted) return
        this.#lost++
        logger.warn({ role, node, err: classify(error) }, 'a connection to the broker was lost')
        caller?.whenLost()
      })
    }, this.#closing.signal)
    this.#opened++
    group.connections.add(shared)
    if (!shared.isOpen && group.remove(shared)) dialing.connections.give() // it was closed before it was in the set
    return shared
  }
}

// A connection's process in the broker that fails says nothing: the connection ends, or is reset. A broker that is shut
// down, or closes the connection on purpose, sends a reason.
function endedAtARequest ({ closedBy, responseCode, cause }: ConnectionClosedError): boolean {
  if (closedBy === 'us' || responseCode !== undefined) return false
  return closedBy === 'peer' || (cause instanceof Error && 'code' in cause && cause.code === 'ECONNRESET')
}
