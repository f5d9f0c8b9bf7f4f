import { AccessError, notValid } from '../../access/access-error.ts'
import { EVERYTHING, type Rights } from '../../access/caller.ts'
import type { Login } from '../../access/gate.ts'
import { claimsOf } from '../../access/token-claims.ts'
import type { IdentifiedCaller } from '../../http/caller.ts'
import { refusalOf, StreamsError, type Broker, type Refusal } from '../../streams/index.ts'

/** RabbitMQ decides on everything but the figures of the gateway, which are not its own. */
const RIGHTS: Rights = { ...EVERYTHING, areBrokers: true, allowsMonitor: () => false }

/** A token takes no new work in the last seconds of its life: RabbitMQ would end the connection in the middle of it. */
const EXPIRY_MARGIN_MS = 10_000
// The longest that setTimeout can wait.
const MAX_TIMER_MS = 2 ** 31 - 1
/** A refusal takes three seconds. */
const REFUSAL_MS = 4000
const MIN_PAUSE_MS = 500

export interface PrincipalOptions {
  readonly login: Login
  readonly broker: Broker
  readonly cacheMs: number
  readonly recheckMs: number
  /** Called once, when RabbitMQ no longer accepts the login. */
  readonly whenEnded: (principal: Principal, reason: AccessError) => void
}

/** A user of RabbitMQ, or a token, that has logged in, and the broker with its connections. */
export class Principal {
  readonly caller: IdentifiedCaller
  readonly broker: Broker
  readonly #options: PrincipalOptions
  readonly #ended = new AbortController()
  readonly #expiresMs: number | undefined
  #expiry: NodeJS.Timeout | undefined
  #loggedInMs = -Infinity
  #askedMs = -Infinity
  #asking: Promise<void> | undefined
  #recheckedMs = performance.now()
  #rechecking = false
  /** When a request came last, by performance.now(). */
  seenMs = performance.now()

  constructor (options: PrincipalOptions) {
    const { login: { user, password }, broker } = options
    this.#options = options
    this.broker = broker
    const claims = claimsOf(password)
    const expiresMs = claims?.expiresMs
    this.#expiresMs = expiresMs
    const id = user === '' ? claims?.subject ?? 'token' : user
    this.caller = { id, scheme: 'rabbitmq', rights: RIGHTS, limits: {}, ended: this.#ended.signal, expiresMs, broker }
  }

  /** Whether RabbitMQ has ever accepted it. */
  get wasIn (): boolean {
    return this.#loggedInMs > -Infinity
  }

  get hasEnded (): boolean {
    return this.#ended.signal.aborted
  }

  /** Whether RabbitMQ has accepted the login so lately that it need not be asked. */
  isFresh (nowMs: number): boolean {
    return nowMs < this.#loggedInMs + this.#options.cacheMs
  }

  /** @throws AccessError when the token expires too soon for anything new */
  refuseExpiring (): void {
    if (this.#expiresMs !== undefined && Date.now() > this.#expiresMs - EXPIRY_MARGIN_MS) {
      throw notValid('the token has expired, or is about to')
    }
  }

  /**
   * Asks RabbitMQ whether it accepts the login. All who ask meanwhile share it.
   *
   * @throws AccessError when it does not; StreamsError when it cannot be asked
   */
  async logIn (): Promise<void> {
    this.#asking ??= this.#logIn().finally(() => { this.#asking = undefined })
    await this.#asking
  }

  /** To be called now and then: asks RabbitMQ ahead of time, while the login is used. */
  tick (nowMs: number): void {
    if (this.hasEnded || this.#asking !== undefined) return
    const { broker } = this
    const { cacheMs, recheckMs } = this.#options
    const isInUse = broker.isInUse
    const isWanted = isInUse || this.seenMs > this.#loggedInMs
    if (isWanted && nowMs >= this.#loggedInMs + renewalMs(cacheMs)) this.#askLater()
    if (isInUse && !this.#rechecking && nowMs >= this.#recheckedMs + recheckMs) {
      this.#rechecking = true
      void broker.recheck().finally(() => {
        this.#rechecking = false
        this.#recheckedMs = performance.now()
      })
    }
  }

  /** A connection was lost. RabbitMQ may have ended it because the user was deleted. */
  lost (): void {
    if (!this.hasEnded) this.#askLater()
  }

  /** RabbitMQ has refused the login while another connection was opened. */
  refused (refusal: Refusal): void {
    // The virtual host is refused also when the user has as many connections as it may have.
    if (refusal === 'credentials') this.end(notValid('RabbitMQ refused the login'))
  }

  /** Ends its timer, when the process ends. */
  close (): void {
    clearTimeout(this.#expiry)
  }

  end (reason: AccessError): void {
    if (this.hasEnded) return
    clearTimeout(this.#expiry)
    this.#ended.abort(reason)
    this.#options.whenEnded(this, reason)
  }

  #askLater (): void {
    const nowMs = performance.now()
    if (this.#asking !== undefined || nowMs < this.#askedMs + MIN_PAUSE_MS) return
    this.logIn().catch(() => {}) // the next request asks again
  }

  async #logIn (): Promise<void> {
    const startedMs = performance.now()
    this.#askedMs = startedMs
    try {
      await this.broker.login()
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === 'virtual_host') await this.#virtualHostRefused(error)
      else if (refusal !== undefined) this.refused(refusal)
      this.#throwIfEnded()
      throw error
    }
    this.#throwIfEnded()
    if (!this.wasIn) this.#endInTime()
    this.#loggedInMs = startedMs
  }

  // What a token says of itself counts only now that RabbitMQ has accepted it.
  #endInTime (): void {
    if (this.#expiresMs === undefined) return
    const leftMs = this.#expiresMs - Date.now()
    if (leftMs > MAX_TIMER_MS) return
    this.#expiry = setTimeout(() => { this.end(notValid('the token has expired')) }, leftMs)
  }

  /** @throws StreamsError for a limit; the login itself was right */
  async #virtualHostRefused (cause: unknown): Promise<void> {
    if (await this.broker.isAtConnectionLimit(this.#options.login.user)) {
      const message = 'RabbitMQ takes no more connections of this user, or in this virtual host'
      throw new StreamsError('overloaded', message, { cause })
    }
    this.end(virtualHostRefused(cause))
  }

  #throwIfEnded (): void {
    this.#ended.signal.throwIfAborted()
  }
}

// Early enough to be refused within the time.
function renewalMs (cacheMs: number): number {
  return Math.max(cacheMs / 2, Math.min(cacheMs * 0.75, cacheMs - REFUSAL_MS))
}

function virtualHostRefused (cause: unknown): AccessError {
  const message = 'RabbitMQ refuses the virtual host to this user: it lacks the permission, or a limit on ' +
    'connections is reached'
  return new AccessError('access_refused', message, { reason: 'RabbitMQ refused the virtual host', cause })
}
