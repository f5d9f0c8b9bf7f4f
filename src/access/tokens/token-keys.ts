import type { CryptoKey, JWTHeaderParameters } from 'jose'

/** The public keys of the identity provider. */
export interface TokenKeys {
  /**
   * The key that a token names in its header.
   *
   * @throws JWKSNoMatchingKey of jose when no key matches, JWKSMultipleMatchingKeys when several keys match
   * @throws AccessError `identity_provider_unavailable` when the keys are not known
   */
  find: (header: JWTHeaderParameters) => Promise<CryptoKey>
}
