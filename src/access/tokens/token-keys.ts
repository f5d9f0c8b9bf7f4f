import type { CryptoKey, JWTHeaderParameters } from 'jose'

/** The public keys of whoever makes the tokens. */
export interface TokenKeys {
  /**
   * The key that a token names in its header.
   *
   * @throws JWKSNoMatchingKey of jose when there is none, JWKSMultipleMatchingKeys when several may be meant
   * @throws AccessError `identity_provider_unavailable` when the keys are not known
   */
  find: (header: JWTHeaderParameters) => Promise<CryptoKey>
}
