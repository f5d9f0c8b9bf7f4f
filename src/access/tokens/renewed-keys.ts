import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTHeaderParameters } from 'jose'
import { AccessError } from '../access-error.ts'
import type { Clock } from './clock.ts'
import { isJsonObject } from '../json-object.ts'
import type { TokenKeys } from './token-keys.ts'

const MINUTE_MS = 60_000
/** After this time keys are loaded again: a key that the provider has taken back is refused from then on. */
export const RENEW_MS = 10 * MINUTE_MS
/** While the provider does not answer, the last keys stay in use for this time. */
export const STALE_MS = 24 * 60 * MINUTE_MS
/** Tokens with unknown keys have the provider asked at most once in this time. */
export const COOLDOWN_MS = 30_000
const FIRST_RETRY_MS = 1000

/** What came of loading the keys: `stale`: the last ones stay in use. `missing`: there are none. */
export type KeysState = 'loaded' | 'stale' | 'missing'

export interface RenewedKeysOptions {
  /** Asks the provider for its key set, a parsed JSON document. It has a deadline of its own. */
  readonly load: () => Promise<unknown>
  /** Told when the state changes, with what was wrong. */
  readonly report: (state: KeysState, reason: string) => void
  readonly clock: Clock
}

type KeySet = ReturnType<typeof createLocalJWKSet>

/** The keys of a provider, loaded again and again in the background. Requests wait for them only when they have to. */
export class RenewedKeys implements TokenKeys {
  readonly #options: RenewedKeysOptions
  #keys: { readonly set: KeySet, readonly loadedMs: number } | undefined
  #state: KeysState | undefined
  #loading: Promise<void> | undefined
  #askedMs = -Infinity
  #failures = 0
  #nextMs = 0
  #cancel = (): void => {}
  #isClosed = false

  constructor (options: RenewedKeysOptions) {
    this.#options = options
  }

  /** Begins to load the keys. */
  start (): void {
    void this.#renew()
  }

  close (): void {
    this.#isClosed = true
    this.#cancel()
  }

  /** How old the keys are; infinitely old when they were never loaded. */
  get ageSeconds (): number {
    return this.#keys === undefined ? Infinity : (this.#now() - this.#keys.loadedMs) / 1000
  }

  async find (header: JWTHeaderParameters): ReturnType<TokenKeys['find']> {
    if (this.#usable() === undefined) await this.#loading
    try {
      return await this.#set()(header)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey) || !this.#mayAsk()) throw error
      await this.#renew()
      return await this.#set()(header)
    }
  }

  #now (): number {
    return this.#options.clock.now()
  }

  #usable (): KeySet | undefined {
    const keys = this.#keys
    return keys !== undefined && this.#now() - keys.loadedMs < STALE_MS ? keys.set : undefined
  }

  /** @throws AccessError `identity_provider_unavailable` */
  #set (): KeySet {
    const set = this.#usable()
    if (set !== undefined) return set
    throw new AccessError('identity_provider_unavailable', 'the identity provider cannot be asked for its keys', {
      reason: 'the keys of the identity provider are not loaded',
      retryAfterSeconds: Math.max(1, Math.ceil((this.#nextMs - this.#now()) / 1000))
    })
  }

  // A request joins a load that is under way.
  #mayAsk (): boolean {
    return !this.#isClosed && (this.#loading !== undefined || this.#now() - this.#askedMs >= COOLDOWN_MS)
  }

  #renew (): Promise<void> {
    this.#loading ??= this.#load().finally(() => { this.#loading = undefined })
    return this.#loading
  }

  async #load (): Promise<void> {
    this.#cancel()
    this.#askedMs = this.#now()
    try {
      const set = createLocalJWKSet(keySetIn(await this.#options.load()))
      this.#keys = { set, loadedMs: this.#now() }
      this.#failures = 0
      this.#report('loaded', '')
    } catch (error) {
      this.#failures++
      const reason = error instanceof Error ? error.message : String(error)
      this.#report(this.#usable() === undefined ? 'missing' : 'stale', reason)
    }
    this.#schedule()
  }

  #schedule (): void {
    if (this.#isClosed) return
    const retryMs = this.#state === 'missing' ? FIRST_RETRY_MS * 2 ** (this.#failures - 1) : COOLDOWN_MS
    const pauseMs = this.#failures === 0 ? RENEW_MS : Math.min(COOLDOWN_MS, retryMs)
    this.#nextMs = this.#now() + pauseMs
    this.#cancel = this.#options.clock.after(pauseMs, () => { void this.#renew() })
  }

  // A line each time would fill the log while the provider is down.
  #report (state: KeysState, reason: string): void {
    if (state === this.#state || this.#isClosed) return
    this.#state = state
    this.#options.report(state, reason)
  }
}

function keySetIn (document: unknown): JSONWebKeySet {
  if (!isKeySet(document)) throw new Error('its answer is not a set of keys (RFC 7517)')
  // An empty set is more likely a fault of the provider than meant: the last keys stay in use.
  if (document.keys.length === 0) throw new Error('its set of keys is empty')
  return document
}

function isKeySet (document: unknown): document is JSONWebKeySet {
  return isJsonObject(document) && Array.isArray(document['keys']) && document['keys'].every(isJsonObject)
}
