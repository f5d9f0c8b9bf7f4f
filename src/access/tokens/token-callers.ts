import { hash } from 'node:crypto'
import { AccessError, notValid } from '../access-error.ts'
import type { Caller, Rights } from '../caller.ts'
import { rightsOf } from '../scopes.ts'
import type { Clock } from './clock.ts'
import { Expiries } from './expiries.ts'
import type { JsonObject } from '../json-object.ts'
import { Remembered } from './remembered.ts'
import { scopesIn, type ScopeRules } from './token-scopes.ts'
import { NotYetValid, type TokenVerifier, type VerifiedToken } from './token-verifier.ts'

/** What tokens make of their callers. */
export interface CallerRules {
  readonly scopes: ScopeRules
  /** The claim that names the caller. */
  readonly callerClaim: string
  readonly virtualHost: string
  /** A longer token is refused before it is looked at. */
  readonly maxBytes: number
}

/** After this time a token is verified again: its key may have been taken back. */
export const FRESH_MS = 5 * 60_000
/** For this time a refused token is refused again without being verified. */
export const REFUSED_MS = 10_000
/** The most tokens that are remembered, and as many that were refused. */
export const MAX_REMEMBERED = 10_000

// Many tokens have the same scopes, whose patterns take more memory than the rest of a caller.
const MAX_RIGHTS = 1000

const MAX_NAME_LENGTH = 255
const CONTROL = /\p{Cc}/u

interface Known {
  readonly caller: Caller & { readonly ended: AbortSignal }
  readonly endsMs: number
  readonly atMs: number
}

interface Refused { readonly reason: string, readonly atMs: number }

/** Callers by their tokens. Of a token it keeps the SHA-256. */
export class TokenCallers {
  readonly #verifier: TokenVerifier
  readonly #rules: CallerRules
  readonly #clock: Clock
  readonly #expiries: Expiries
  // Apart from each other: many bad tokens do not drive good ones out.
  readonly #known = new Remembered<Known>(MAX_REMEMBERED)
  readonly #refused = new Remembered<Refused>(MAX_REMEMBERED)
  readonly #rights = new Remembered<Rights>(MAX_RIGHTS)
  readonly #underWay = new Map<string, Promise<Caller>>()

  constructor (verifier: TokenVerifier, rules: CallerRules, clock: Clock) {
    this.#verifier = verifier
    this.#rules = rules
    this.#clock = clock
    this.#expiries = new Expiries(clock)
  }

  /**
   * The caller of a token, at once when the token was verified within five minutes.
   *
   * @throws AccessError `unauthorized`, or `identity_provider_unavailable`
   */
  identify (token: string): Caller | Promise<Caller> {
    if (token.length > this.#rules.maxBytes) throw notValid('it is longer than JWT_MAX_BYTES')
    const digest = hash('sha256', token, 'base64url')
    const known = this.#known.get(digest)
    const nowMs = this.#clock.now()
    if (known !== undefined && isWithin(FRESH_MS, known.atMs, nowMs) && nowMs < known.endsMs) return known.caller
    const refused = this.#refused.get(digest)
    if (refused !== undefined && isWithin(REFUSED_MS, refused.atMs, nowMs)) throw notValid(refused.reason)
    return this.#identified(token, digest)
  }

  close (): void {
    this.#expiries.close()
  }

  // Requests that come at the same time share one verification.
  #identified (token: string, digest: string): Promise<Caller> {
    const already = this.#underWay.get(digest)
    if (already !== undefined) return already
    const identifying = this.#verify(token, digest).finally(() => { this.#underWay.delete(digest) })
    this.#underWay.set(digest, identifying)
    return identifying
  }

  async #verify (token: string, digest: string): Promise<Caller> {
    try {
      const verified = await this.#verifier.verify(token)
      // The token is the same, and so is what it says.
      const caller = this.#known.get(digest)?.caller ?? this.#callerOf(verified)
      if (caller.ended.aborted) throw notValid('it has expired')
      this.#known.set(digest, { caller, endsMs: verified.endsMs, atMs: this.#clock.now() })
      return caller
    } catch (error) {
      if (error instanceof AccessError && error.code === 'unauthorized') this.#refuse(digest, error)
      throw error
    }
  }

  #refuse (digest: string, error: AccessError): void {
    const known = this.#known.get(digest)
    if (known !== undefined) {
      this.#expiries.end(known.caller.ended, error.reason)
      this.#known.delete(digest)
    }
    if (error instanceof NotYetValid) return
    this.#refused.set(digest, { reason: error.reason, atMs: this.#clock.now() })
  }

  #callerOf ({ claims, endsMs }: VerifiedToken): Known['caller'] {
    return {
      id: nameIn(claims, this.#rules.callerClaim),
      scheme: 'jwt',
      rights: this.#rightsOf(scopesIn(claims, this.#rules.scopes)),
      limits: {},
      ended: this.#expiries.signalAt(endsMs),
      expiresMs: endsMs
    }
  }

  #rightsOf (scopes: readonly string[]): Rights {
    const key = JSON.stringify(scopes)
    const known = this.#rights.get(key)
    if (known !== undefined) return known
    const rights = rightsOf({ scopes }, this.#rules.virtualHost)
    this.#rights.set(key, rights)
    return rights
  }
}

// Not before it either: a clock that was fast and is set back would keep what it says for as long as it was fast.
function isWithin (ms: number, sinceMs: number, nowMs: number): boolean {
  return nowMs >= sinceMs && nowMs - sinceMs < ms
}

function nameIn (claims: JsonObject, claim: string): string {
  const name = Object.hasOwn(claims, claim) ? claims[claim] : undefined
  if (typeof name !== 'string' || name === '') throw notValid('the claim with the name of the caller is not a text')
  if (name.length > MAX_NAME_LENGTH || CONTROL.test(name)) throw notValid('the name of the caller is not a short text')
  return name
}
