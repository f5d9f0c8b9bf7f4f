import type { ConnectionClosedError } from '../protocol/index.ts'
import { SharedConnection, type OpenOptions } from './shared-connection.ts'

export interface Endpoint { readonly host: string, readonly port: number }

/**
 * What a connection is for. Publishing has connections of its own: while a disk alarm lasts, or when too much is
 * unconfirmed, the broker does not read a connection that has publishers, and everything else on it waits too.
 */
export type Role = SlotRole | 'offsets' | 'streams'

/**
 * What a connection with places is for. Over the places for single active consumers nothing is delivered: they have
 * connections with a short heartbeat.
 */
export type SlotRole = 'publish' | 'consume' | 'single-active'

// A member of a group of single active consumers whose process is frozen is replaced after two to three of these
// intervals (rabbit_heartbeat, start_heartbeat_receiver).
const SINGLE_ACTIVE_HEARTBEAT_SECONDS = 5

export interface OpenerOptions {
  hosts: readonly Endpoint[]
  /**
   * `advertised`: connect to the nodes by the addresses the broker gives. `configured`: only to `hosts`, and look which
   * node answers.
   */
  addressMode: 'advertised' | 'configured'
  open: Omit<OpenOptions, 'host' | 'port' | 'connectionName'>
}

/** Called once for a connection that has ended. */
export type WhenClosed = (shared: SharedConnection, error: ConnectionClosedError, endpoint: Endpoint) => void

/** Opens connections to any of the hosts, or to the node that is wanted. */
export class Opener {
  readonly #options: OpenerOptions
  readonly #signal: AbortSignal
  #nextHost = 0

  /** @param signal ends all attempts */
  constructor (options: OpenerOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
  }

  async open (role: Role, node: Endpoint | undefined, whenClosed: WhenClosed): Promise<SharedConnection> {
    if (node === undefined) return await this.#openAny(role, whenClosed)
    return this.#options.addressMode === 'advertised'
      ? await this.#openAt(role, node, whenClosed)
      : await this.#openBehindBalancer(role, node, whenClosed)
  }

  async #openAny (role: Role, whenClosed: WhenClosed): Promise<SharedConnection> {
    const { hosts } = this.#options
    let failure: unknown
    for (let attempt = 0; attempt < hosts.length; attempt++) {
      const host = hosts[this.#nextHost % hosts.length]
      if (host === undefined) break
      try {
        return await this.#openAt(role, host, whenClosed)
      } catch (error) {
        failure = error
        this.#nextHost++
      }
    }
    throw failure
  }

  // A balancer decides which node answers. Connect until it is the wanted one. A publisher may use another node, which
  // passes its messages on. A subscription may not: the broker reads only from a member on the node itself.
  async #openBehindBalancer (role: Role, wanted: Endpoint, whenClosed: WhenClosed): Promise<SharedConnection> {
    const attempts = Math.max(3, this.#options.hosts.length * 3)
    for (let attempt = 1; ; attempt++) {
      const shared = await this.#openAny(role, whenClosed)
      const { advertisedHost, advertisedPort } = shared.connection
      const isWanted =
        advertisedHost === undefined || (advertisedHost === wanted.host && advertisedPort === wanted.port)
      if (isWanted || (attempt >= attempts && role === 'publish')) return shared
      this.#nextHost++
      await shared.connection.close('another node was wanted')
      if (attempt >= attempts) throw new Error(`none of ${attempts} connections reached the node that holds the stream`)
    }
  }

  async #openAt (role: Role, endpoint: Endpoint, whenClosed: WhenClosed): Promise<SharedConnection> {
    const { host, port } = endpoint
    const { open } = this.#options
    const heartbeatSeconds = role === 'single-active'
      ? Math.min(open.heartbeatSeconds, SINGLE_ACTIVE_HEARTBEAT_SECONDS)
      : open.heartbeatSeconds
    return await SharedConnection.open(
      { ...open, heartbeatSeconds, host, port, connectionName: `rabbitmq-stream-gateway ${role}` },
      role === 'publish' ? 'publishers' : 'subscriptions',
      (shared, error) => { whenClosed(shared, error, endpoint) },
      this.#signal
    )
  }
}
