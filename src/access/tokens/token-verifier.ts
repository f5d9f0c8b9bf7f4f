import { errors, jwtVerify, type CryptoKey, type JWTPayload, type JWTVerifyOptions } from 'jose'
import { AccessError, notValid } from '../access-error.ts'
import type { Clock } from './clock.ts'
import type { TokenKeys } from './token-keys.ts'
import { checkShape } from './token-shape.ts'

/** Which tokens are valid. */
export interface TokenRules {
  /** Undefined: a token may name any issuer, as long as the keys are right. */
  readonly issuer: string | undefined
  readonly audience: string
  readonly algorithms: readonly string[]
  /** The type that the header has to name (`typ`), such as `at+jwt`. */
  readonly requiredType: string | undefined
  /** How far the clocks of the provider and of the gateway may differ. */
  readonly clockToleranceSeconds: number
}

/** What a valid token says. */
export interface VerifiedToken {
  readonly claims: JWTPayload
  /** From when on the token is not valid, in milliseconds since 1970; the tolerance is included. */
  readonly endsMs: number
}

/** Why a token is not valid, where that may change soon: a key comes, or a time. Such a refusal is not remembered. */
export class NotYetValid extends AccessError {}

const REQUIRED_CLAIMS = ['exp', 'iss', 'aud', 'sub']
// Without a key id in the token every key of its kind may be meant.
const MAX_KEYS_TRIED = 16
// The last time that a Date can be.
const MAX_SECONDS = 8.64e12

/** Verifies tokens by the keys of a provider. */
export class TokenVerifier {
  readonly #rules: TokenRules
  readonly #keys: TokenKeys
  readonly #clock: Clock

  constructor (rules: TokenRules, keys: TokenKeys, clock: Clock) {
    this.#rules = rules
    this.#keys = keys
    this.#clock = clock
  }

  /** @throws AccessError `unauthorized`, or `identity_provider_unavailable` when the keys are not known */
  async verify (token: string): Promise<VerifiedToken> {
    checkShape(token, this.#rules.algorithms)
    try {
      const claims = await this.#verified(token)
      return { claims, endsMs: this.#endOf(claims) }
    } catch (error) {
      throw error instanceof AccessError ? error : refusalOf(error)
    }
  }

  async #verified (token: string): Promise<JWTPayload> {
    refuseOtherSpelling(token)
    const options = this.#options()
    try {
      return (await jwtVerify(token, async (header) => await this.#keys.find(header), options)).payload
    } catch (error) {
      if (error instanceof errors.JWKSMultipleMatchingKeys) return await firstThatVerifies(token, error, options)
      throw error
    }
  }

  #options (): JWTVerifyOptions {
    const { issuer, audience, algorithms, requiredType, clockToleranceSeconds } = this.#rules
    return {
      algorithms: [...algorithms],
      audience,
      requiredClaims: REQUIRED_CLAIMS,
      clockTolerance: clockToleranceSeconds,
      currentDate: new Date(this.#clock.now()),
      ...(issuer !== undefined && { issuer }),
      ...(requiredType !== undefined && { typ: requiredType })
    }
  }

  #endOf ({ exp = Infinity }: JWTPayload): number {
    const seconds = Math.ceil(exp + this.#rules.clockToleranceSeconds)
    if (!(seconds < MAX_SECONDS)) throw notValid('its exp is not a time')
    return seconds * 1000
  }
}

// The signature covers all of the text but itself. Its last character has bits without a meaning, and decoders take
// characters of plain base64 too: one token would have many texts.
function refuseOtherSpelling (token: string): void {
  const signature = token.slice(token.lastIndexOf('.') + 1)
  if (Buffer.from(signature, 'base64url').toString('base64url') !== signature) {
    throw notValid('its signature is not written as base64url')
  }
}

async function firstThatVerifies (
  token: string,
  keys: AsyncIterable<CryptoKey>,
  options: JWTVerifyOptions
): Promise<JWTPayload> {
  let tried = 0
  for await (const key of keys) {
    if (++tried > MAX_KEYS_TRIED) break
    try {
      return (await jwtVerify(token, key, options)).payload
    } catch (error) {
      if (!(error instanceof errors.JWSSignatureVerificationFailed)) throw error
    }
  }
  throw notValid('no key verifies its signature')
}

// Errors of jose hold the claims of the token: they go no further.
function refusalOf (error: unknown): AccessError {
  if (error instanceof errors.JWKSNoMatchingKey) return notYetValid('it names a key that the provider does not have')
  if (error instanceof errors.JWTClaimValidationFailed) {
    const { claim, reason, message } = error
    return claim === 'nbf' && reason === 'check_failed' ? notYetValid(message) : notValid(message)
  }
  return notValid(error instanceof Error ? error.message : 'it cannot be verified')
}

function notYetValid (reason: string): NotYetValid {
  const { code, message } = notValid(reason)
  return new NotYetValid(code, message, { reason })
}
