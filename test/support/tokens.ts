import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWK } from 'jose'

/** A key pair of an identity provider. */
export interface SigningKey {
  readonly alg: string
  readonly kid: string | undefined
  readonly privateKey: CryptoKey
  readonly publicKey: CryptoKey
  readonly jwk: JWK
}

export async function newSigningKey (kid: string | undefined, alg = 'ES256'): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  const jwk = { ...await exportJWK(publicKey), ...(kid !== undefined && { kid }), use: 'sig' }
  return { alg, kid, privateKey, publicKey, jwk }
}

export const ISSUER = 'https://provider.example/realm'
export const AUDIENCE = 'gateway'

export interface TokenContent {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

/** A token for an hour that is as it should be, but for what is given. A claim that is undefined is left out. */
export async function signedToken (key: SigningKey, { claims = {}, header = {} }: TokenContent = {}): Promise<string> {
  const content = { iss: ISSUER, aud: AUDIENCE, sub: 'billing', exp: inSeconds(3600), scope: '', ...claims }
  const payload: Record<string, unknown> = JSON.parse(JSON.stringify(content))
  return await new SignJWT(payload)
    .setProtectedHeader({ alg: key.alg, ...(key.kid !== undefined && { kid: key.kid }), ...header })
    .sign(key.privateKey, { ...(header['crit'] !== undefined && { crit: { b64: true } }) })
}

/** A time as claims have it. */
export function inSeconds (seconds: number): number {
  return Math.floor(Date.now() / 1000) + seconds
}
