import { notValid, type AccessError } from '../../access/access-error.ts'
import type { Origin } from '../../access/authenticators.ts'
import type { Login } from '../../access/gate.ts'
import { Guesses } from '../../access/guesses.ts'
import { Turnstile } from '../../access/turnstile.ts'
import type { IdentifiedCaller } from '../../http/caller.ts'
import { StreamsError, type BrokerSet } from '../../streams/index.ts'
import { loginKey } from './login-key.ts'
import { Principal } from './principal.ts'

export interface PrincipalsOptions {
  readonly brokers: BrokerSet
  readonly virtualHost: string
  readonly cacheSeconds: number
  readonly recheckSeconds: number
  readonly maxPending: number
  readonly maxCallers: number
}

// A client that repeats a wrong password costs RabbitMQ one login in this time.
const REFUSAL_REMEMBERED_MS = 10_000
const MAX_REFUSALS = 10_000
// A login takes milliseconds, when those that are refused do not hold all places.
const WAITING = { maxWaiting: 1000, waitMs: 1000 }
/** Newer brokers take no larger frame before a connection is open. */
const MAX_PASSWORD_BYTES = 8000
/** How long answers that have begun may still use the broker of a login that has ended. */
const LAST_ANSWERS_MS = 5000
/** Longer than a request may take to arrive. */
const RETIREMENT_MS = 600_000
const UNUSED_MS = 600_000

interface Refusal { readonly error: AccessError, readonly untilMs: number }

/** The users of RabbitMQ that have logged in. */
export class Principals {
  readonly #options: PrincipalsOptions
  // By the login itself, which its broker has to keep anyway: a hash of it for each request would take as long as the
  // rest of access control. Of a login that is not accepted only a hash is kept.
  readonly #byLogin = new Map<string, Principal>()
  readonly #retired = new Set<Principal>()
  readonly #logins = new Map<string, Promise<IdentifiedCaller>>()
  readonly #refusals = new Map<string, Refusal>()
  readonly #guesses = new Guesses()
  readonly #turnstile: Turnstile
  readonly #ticker: NodeJS.Timeout
  // Of logins that have ended: their last answers still use the broker.
  readonly #lastAnswers = new Set<NodeJS.Timeout>()

  constructor (options: PrincipalsOptions) {
    this.#options = options
    this.#turnstile = new Turnstile(options.maxPending, WAITING)
    this.#ticker = setInterval(() => { this.#tick() }, Math.min(1000, options.cacheSeconds * 250))
  }

  /**
   * Who logs in with this. For a login that RabbitMQ has accepted lately it answers at once.
   *
   * @throws AccessError `unauthorized`, `access_refused`, `too_many_requests`; StreamsError `broker_unavailable`,
   *   `overloaded`
   */
  identify (login: Login, { address }: Origin): IdentifiedCaller | Promise<IdentifiedCaller> {
    const principal = this.#byLogin.get(textOf(login))
    if (principal === undefined) return this.#first(loginKey(this.#options.virtualHost, login), login, address)
    const nowMs = performance.now()
    principal.seenMs = nowMs
    principal.refuseExpiring()
    return principal.isFresh(nowMs) ? principal.caller : again(principal)
  }

  /** Ends all timers. Their brokers are closed with the set that they are in. */
  close (): void {
    clearInterval(this.#ticker)
    for (const timer of this.#lastAnswers) clearTimeout(timer)
    for (const principal of [...this.#byLogin.values(), ...this.#retired]) principal.close()
  }

  #first (key: string, login: Login, address: string | undefined): Promise<IdentifiedCaller> {
    const refusal = this.#refusals.get(key)
    if (refusal !== undefined && performance.now() < refusal.untilMs) throw refusal.error
    const underWay = this.#logins.get(key)
    if (underWay !== undefined) return underWay
    if (Buffer.byteLength(login.password) > MAX_PASSWORD_BYTES) throw notValid('the password is too long for RabbitMQ')
    this.#guesses.refuse(address)
    const attempt = this.#attempt(key, login, address).finally(() => { this.#logins.delete(key) })
    this.#logins.set(key, attempt)
    return attempt
  }

  async #attempt (key: string, login: Login, address: string | undefined): Promise<IdentifiedCaller> {
    if (!await this.#turnstile.enter()) throw overloaded('too many logins are under way', this.#turnstile.limit)
    try {
      this.#guesses.refuse(address)
      this.#makeRoom()
      const principal = this.#principal(key, login, address)
      try {
        await principal.logIn()
        principal.refuseExpiring()
        this.#makeRoom()
      } catch (error) {
        void this.#options.brokers.end(principal.broker)
        throw error
      }
      this.#byLogin.set(textOf(login), principal)
      return principal.caller
    } finally {
      this.#turnstile.leave()
    }
  }

  #principal (key: string, login: Login, address: string | undefined): Principal {
    const { brokers, cacheSeconds, recheckSeconds } = this.#options
    const broker = brokers.openFor({ username: login.user, password: login.password }, {
      whenRefused: (refusal) => { principal.refused(refusal) },
      whenLost: () => { principal.lost() }
    })
    const principal = new Principal({
      login,
      broker,
      cacheMs: cacheSeconds * 1000,
      recheckMs: recheckSeconds * 1000,
      whenEnded: (ended, error) => {
        if (this.#byLogin.get(textOf(login)) === ended) this.#byLogin.delete(textOf(login))
        if (!ended.wasIn && error.code === 'unauthorized') this.#guesses.failed(address)
        this.#remember(key, error)
        broker.retire()
        const timer = setTimeout(() => {
          this.#lastAnswers.delete(timer)
          void brokers.end(broker)
        }, LAST_ANSWERS_MS)
        this.#lastAnswers.add(timer)
      }
    })
    return principal
  }

  #remember (key: string, error: AccessError): void {
    this.#refusals.delete(key)
    this.#refusals.set(key, { error, untilMs: performance.now() + REFUSAL_REMEMBERED_MS })
    for (const [oldest, { untilMs }] of this.#refusals) {
      if (untilMs > performance.now() && this.#refusals.size <= MAX_REFUSALS) break
      this.#refusals.delete(oldest)
    }
  }

  // Retires the user that has not been used for the longest time.
  #makeRoom (): void {
    const { maxCallers } = this.#options
    if (this.#byLogin.size < maxCallers) return
    const idle = [...this.#byLogin].filter(([, { broker }]) => !broker.isInUse)
    const [oldest] = idle.sort(([, a], [, b]) => a.seenMs - b.seenMs)
    if (oldest === undefined) throw overloaded('too many callers use the gateway', maxCallers)
    this.#retire(...oldest)
  }

  #retire (text: string, principal: Principal): void {
    this.#byLogin.delete(text)
    principal.broker.retire()
    this.#retired.add(principal) // requests that use it already can finish
  }

  #tick (): void {
    const nowMs = performance.now()
    for (const [text, principal] of this.#byLogin) {
      principal.tick(nowMs)
      if (principal.seenMs < nowMs - UNUSED_MS && !principal.broker.isInUse) this.#retire(text, principal)
    }
    for (const principal of this.#retired) {
      principal.tick(nowMs)
      const { broker, hasEnded } = principal
      const isOver = !broker.isInUse && (broker.retiredMs ?? nowMs) < nowMs - RETIREMENT_MS
      if (!isOver && !hasEnded) continue
      this.#retired.delete(principal)
      void this.#options.brokers.end(broker)
    }
  }
}

// Neither has a NUL in it.
function textOf ({ user, password }: Login): string {
  return `${user}\0${password}`
}

async function again (principal: Principal): Promise<IdentifiedCaller> {
  await principal.logIn()
  return principal.caller
}

function overloaded (message: string, limit: number): StreamsError {
  return new StreamsError('overloaded', `${message}; try again in a moment`, { details: { limit } })
}
