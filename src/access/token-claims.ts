/** What a token says of itself, not verified here: use it only for a token that was accepted elsewhere. */
export interface TokenClaims {
  readonly subject: string | undefined
  /** In milliseconds since 1970. */
  readonly expiresMs: number | undefined
}

const JWT = /^[\w-]+\.([\w-]+)\.[\w-]+$/

/** Reads the payload of a JWT. Undefined for another text. */
export function claimsOf (token: string): TokenClaims | undefined {
  const [, payload] = JWT.exec(token) ?? []
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
    if (typeof claims !== 'object' || claims === null) return undefined
    return { subject: textIn(claims, 'sub') ?? textIn(claims, 'client_id'), expiresMs: timeIn(claims) }
  } catch {
    return undefined
  }
}

// The last time that a Date can be.
const MAX_SECONDS = 8.64e12

function timeIn (claims: object): number | undefined {
  const seconds: unknown = Reflect.get(claims, 'exp')
  return typeof seconds === 'number' && Math.abs(seconds) <= MAX_SECONDS ? seconds * 1000 : undefined
}

function textIn (claims: object, name: string): string | undefined {
  const value: unknown = Reflect.get(claims, name)
  return typeof value === 'string' && value !== '' ? value : undefined
}
