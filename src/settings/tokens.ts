import { faultOfProviderUrl } from '../access/tokens/provider-url.ts'
import type { Way } from './access.ts'
import { BadValue, type SettingReader } from './setting-reader.ts'
import { parsePublicKeys, parseScopeAliases } from './token-files.ts'
import { KIB } from './units.ts'

// Algorithms with a shared secret are not among them: a verifier with the secret could make tokens too, and a public
// key could be taken for a secret.
const ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'
] as const
const DEFAULT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'EdDSA']
const NO_PREFIX = 'none'

/** Tokens of an identity provider, for `AUTH=jwt`. */
export function readTokens (read: SettingReader) {
  return { ...readIssuer(read), ...readValidity(read), ...readScopes(read) }
}

/** Notes what `AUTH=jwt` cannot be without, and what is of no use without it. */
export function refuseTokenCombinations (
  read: SettingReader, tokens: ReturnType<typeof readTokens>, ways: readonly Way[] | undefined, maxHeaderBytes: number
): void {
  if (ways?.includes('jwt') === true) {
    refuseLacking(read, tokens, maxHeaderBytes)
    return
  }
  const given = ['JWT_ISSUER', 'JWT_JWKS_URL', 'JWT_PUBLIC_KEYS_PATH'].find((name) => read.isSet(name))
  if (given !== undefined) read.reject(given, 'is set, but AUTH does not list jwt: add it to AUTH')
}

function refuseLacking (
  read: SettingReader,
  { issuer, jwksUrl, publicKeys, audience, maxBytes }: ReturnType<typeof readTokens>,
  maxHeaderBytes: number
): void {
  if (jwksUrl !== undefined && publicKeys !== undefined) {
    read.reject('JWT_JWKS_URL', 'and JWT_PUBLIC_KEYS_PATH are both set; set one')
  }
  if (issuer === undefined && jwksUrl === undefined && publicKeys === undefined) {
    read.reject('AUTH', 'lists jwt, which needs JWT_ISSUER, JWT_JWKS_URL or JWT_PUBLIC_KEYS_PATH')
  }
  if (audience === undefined) {
    read.reject('AUTH', 'lists jwt, which needs JWT_AUDIENCE: a token made for another service must not be accepted')
  }
  if (maxBytes >= maxHeaderBytes) {
    read.reject('JWT_MAX_BYTES', 'must be smaller than HTTP_MAX_HEADER_BYTES, which includes the token')
  }
}

function readIssuer (read: SettingReader) {
  return {
    issuer: read.parsed<string | undefined>(
      'JWT_ISSUER',
      parseIssuer,
      undefined,
      'URL',
      'The issuer that tokens have to name (`iss`), exactly. Where its keys are is asked at its ' +
      '`/.well-known/openid-configuration`, unless one of the next two settings says it'
    ),
    jwksUrl: read.parsed<string | undefined>(
      'JWT_JWKS_URL',
      parseProviderUrl,
      undefined,
      'URL',
      "The identity provider's key set (JWKS). https, or http to a loopback address"
    ),
    publicKeys: parsedFile(
      read,
      'JWT_PUBLIC_KEYS_PATH',
      parsePublicKeys,
      'File with the public keys that verify tokens, as a JWKS or as PEM. It is read at the start'
    ),
    audience: read.optionalText(
      'JWT_AUDIENCE',
      'The name of this gateway in tokens (`aud`). Tokens for others are refused. Needed for `AUTH=jwt`'
    )
  }
}

function readValidity (read: SettingReader) {
  return {
    algorithms: read.parsed<readonly string[]>(
      'JWT_ALGORITHMS',
      parseAlgorithms,
      DEFAULT_ALGORITHMS,
      `${ALGORITHMS.map((name) => `\`${name}\``).join(', ')}, separated by commas`,
      `The algorithms that may sign a token. Without it: ${DEFAULT_ALGORITHMS.join(', ')}`
    ),
    requiredType: read.optionalText(
      'JWT_REQUIRED_TYPE',
      'The type that the header of a token has to name (`typ`), such as `at+jwt`, which an ID token does not have'
    ),
    clockToleranceSeconds: read.integer(
      'JWT_CLOCK_TOLERANCE_SECONDS',
      { default: 30, min: 0, max: 300 },
      'How far the clocks of the identity provider and of the gateway may differ. A token is valid for this time ' +
      'after its `exp`'
    ),
    maxBytes: read.integer(
      'JWT_MAX_BYTES',
      { default: 8 * KIB, min: 256, max: 256 * KIB },
      'Longest token that is looked at'
    )
  }
}

function readScopes (read: SettingReader) {
  const name = /^\S{1,200}$/
  const prefix = read.text(
    'JWT_SCOPE_PREFIX',
    'rabbitmq.',
    name,
    'a text without spaces, or none',
    "How scopes for the gateway begin, like RabbitMQ's `auth_oauth2.scope_prefix`. Others do not count. `none`: they " +
    'have no prefix'
  )
  const scopePrefix = prefix === NO_PREFIX ? '' : prefix
  return {
    scopeClaim: read.text(
      'JWT_SCOPE_CLAIM',
      'scope',
      name,
      'the name of a claim, or a path such as realm_access.roles',
      'The claim with the scopes or roles, a text or an array. It may be inside others: `realm_access.roles`'
    ),
    scopePrefix,
    scopeAliases: parsedFile(
      read,
      'JWT_SCOPE_ALIASES_PATH',
      (text) => parseScopeAliases(text, scopePrefix),
      'JSON file with the scopes that a role stands for. See [tokens](tokens.md)'
    ) ?? {},
    callerClaim: read.text(
      'JWT_CALLER_CLAIM',
      'sub',
      name,
      'the name of a claim',
      'The claim with the name of the caller, for the log'
    )
  }
}

function parsedFile<T> (
  read: SettingReader, name: string, parse: (text: string) => T, description: string
): T | undefined {
  const text = read.file(name, description)
  if (text === undefined) return undefined
  try {
    return parse(text)
  } catch (error) {
    read.reject(name, error instanceof BadValue ? error.message : 'names a file that is malformed')
    return undefined
  }
}

function parseAlgorithms (text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  if (!names.every((name) => ALGORITHMS.some((algorithm) => algorithm === name))) {
    throw new BadValue(`must be some of ${ALGORITHMS.join(', ')}, separated by commas`)
  }
  return names
}

function parseIssuer (text: string): string {
  const url = new URL(parseProviderUrl(text))
  if (url.search !== '' || url.hash !== '') throw new BadValue('must be a URL without a query')
  // As it is written: whether it ends with a slash matters.
  return text
}

function parseProviderUrl (text: string): string {
  const fault = faultOfProviderUrl(text)
  if (fault !== undefined) throw new BadValue(fault)
  return text
}
