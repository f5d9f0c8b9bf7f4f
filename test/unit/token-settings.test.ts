import { exportPKCS8, exportSPKI } from 'jose'
import t from 'tap'
import { loadConfig } from '../../src/config.ts'
import { ConfigError } from '../../src/settings/setting-reader.ts'
import { exactly } from '../support/exactly.ts'
import { newSigningKey } from '../support/tokens.ts'

const BASE = { AUTH: 'jwt', JWT_AUDIENCE: 'gateway' }
const WITH_ISSUER = { ...BASE, JWT_ISSUER: 'https://login.example.com/realm' }

const key = await newSigningKey('k1')
const rsa = await newSigningKey('k2', 'RS256')

function tokensOf (env: Record<string, string>, files: Record<string, string> = {}) {
  return loadConfig(env, (path) => {
    const text = files[path]
    if (text === undefined) throw new Error('there is no such file')
    return text
  }).config.tokens
}

function refusal (env: Record<string, string>, file?: string): string {
  try {
    tokensOf(env, file === undefined ? {} : { '/file': file })
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('the configuration was taken')
}

t.test('tokens have settings that are safe as they are', async (t) => {
  t.match(tokensOf(WITH_ISSUER), {
    issuer: 'https://login.example.com/realm',
    algorithms: exactly('RS256', 'PS256', 'ES256', 'EdDSA'),
    scopeClaim: 'scope',
    scopePrefix: 'rabbitmq.',
    callerClaim: 'sub',
    clockToleranceSeconds: 30,
    maxBytes: 8192,
    requiredType: undefined
  })
  t.equal(tokensOf({ ...WITH_ISSUER, JWT_SCOPE_PREFIX: 'none' }).scopePrefix, '')
  t.match(tokensOf({ ...WITH_ISSUER, JWT_JWKS_URL: 'http://127.0.0.1:1/keys?a=b' }), {
    issuer: 'https://login.example.com/realm', jwksUrl: 'http://127.0.0.1:1/keys?a=b'
  })
})

t.test('what does not go together is one line at the start', async (t) => {
  const refusals: ReadonlyArray<[Record<string, string>, RegExp]> = [
    [BASE, /AUTH lists jwt, which needs JWT_ISSUER, JWT_JWKS_URL or JWT_PUBLIC_KEYS_PATH$/],
    [{ AUTH: 'jwt', JWT_ISSUER: 'https://a.example' }, /AUTH lists jwt, which needs JWT_AUDIENCE: [^;]+$/],
    [{ JWT_ISSUER: 'https://a.example' }, /JWT_ISSUER is set, but AUTH does not list jwt: add it to AUTH$/],
    [{ ...WITH_ISSUER, JWT_MAX_BYTES: '16384' }, /JWT_MAX_BYTES must be smaller than HTTP_MAX_HEADER_BYTES/],
    [{ ...BASE, JWT_ISSUER: 'http://login.example.com' }, /JWT_ISSUER must be an https URL/],
    [{ ...BASE, JWT_ISSUER: 'http://127.evil.example' }, /JWT_ISSUER must be an https URL/],
    [{ ...BASE, JWT_ISSUER: 'http://localhost.evil.example' }, /JWT_ISSUER must be an https URL/],
    [{ ...BASE, JWT_ISSUER: 'https://login.example.com/?a=b' }, /JWT_ISSUER must be a URL without a query/],
    [{ ...BASE, JWT_ISSUER: 'login.example.com' }, /JWT_ISSUER must be an https URL/],
    [{ ...BASE, JWT_JWKS_URL: 'file:///etc/passwd' }, /JWT_JWKS_URL must be an https URL/],
    [{ ...BASE, JWT_JWKS_URL: 'https://u:secret@a.example/' }, /JWT_JWKS_URL must not have a user or a password/],
    [{ ...WITH_ISSUER, JWT_ALGORITHMS: 'RS256,HS256' }, /JWT_ALGORITHMS must be some of RS256/],
    [{ ...WITH_ISSUER, JWT_ALGORITHMS: 'none' }, /JWT_ALGORITHMS must be some of RS256/],
    [{ ...BASE, JWT_PUBLIC_KEYS_PATH: '/missing' }, /JWT_PUBLIC_KEYS_PATH names a file that cannot be read/]
  ]
  for (const [env, message] of refusals) {
    t.match(refusal(env), message)
    t.notMatch(refusal(env), /secret@/)
  }
  const both = { ...BASE, JWT_JWKS_URL: 'https://a.example/keys', JWT_PUBLIC_KEYS_PATH: '/file' }
  t.match(refusal(both, JSON.stringify({ keys: [key.jwk] })), /JWT_JWKS_URL and JWT_PUBLIC_KEYS_PATH are both set/)
})

t.test('public keys come as a key set or as PEM', async (t) => {
  const read = (text: string) => tokensOf({ ...BASE, JWT_PUBLIC_KEYS_PATH: '/file' }, { '/file': text }).publicKeys
  const set = JSON.stringify({ keys: [key.jwk, rsa.jwk] })
  t.match(read(set), exactly({ kid: 'k1', kty: 'EC' }, { kid: 'k2', kty: 'RSA' }))
  const pem = `a comment\n${await exportSPKI(key.publicKey)}\r\n${await exportSPKI(rsa.publicKey)}`
  t.match(read(pem), exactly({ kid: undefined, kty: 'EC' }, { kid: undefined, kty: 'RSA' }))
})

t.test('a file without usable public keys is refused, and nothing of it is shown', async (t) => {
  const secret = await exportPKCS8(key.privateKey)
  const files: ReadonlyArray<[string, RegExp]> = [
    ['', /without a public key/],
    ['not a key', /without a public key/],
    ['{"keys":[]}', /without a public key/],
    ['{"keys":{}}', /without "keys"/],
    ['{"keys":[], "keys":[]}', /member twice/],
    ['{"keys":[7]}', /key 1 is not a JSON Web Key/],
    ['{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}', /key 1 is secret/],
    ['{"keys":[{"kty":"EC","crv":"P-256"}]}', /key 1 cannot be read/],
    [JSON.stringify({ keys: [key.jwk, { ...key.jwk, d: 'c2VjcmV0' }] }), /key 2 is secret/],
    [secret, /key 1 is secret/],
    ['-----BEGIN PUBLIC KEY-----\nc2VjcmV0\n-----END PUBLIC KEY-----', /key 1 cannot be read/]
  ]
  for (const [file, message] of files) {
    const refused = refusal({ ...BASE, JWT_PUBLIC_KEYS_PATH: '/file' }, file)
    t.match(refused, message)
    t.notMatch(refused, /c2VjcmV0/)
    t.notOk(refused.includes(secret.slice(40, 80)))
  }
})

t.test('roles stand for scopes with the prefix', async (t) => {
  const env = { ...WITH_ISSUER, JWT_SCOPE_ALIASES_PATH: '/file' }
  const owner = ['rabbitmq.read:*/a', 'rabbitmq.tag:management']
  const roles = { owner, operator: 'rabbitmq.monitor rabbitmq.read:*/*' }
  t.same(tokensOf(env, { '/file': JSON.stringify(roles) }).scopeAliases, {
    owner, operator: ['rabbitmq.monitor', 'rabbitmq.read:*/*']
  })
  const files: ReadonlyArray<[string, RegExp]> = [
    ['[]', /not a JSON object/],
    ['{"a":["rabbitmq.monitor"],"a":["rabbitmq.read:*/*"]}', /member twice/],
    ['{"owner":["read:*/a"]}', /role "owner" has a scope that does not begin with JWT_SCOPE_PREFIX/],
    ['{"owner":["rabbitmq.raed:*/a"]}', /role "owner" has a scope that is not like rabbitmq\.read:/],
    ['{"owner":[7]}', /role "owner" has a scope that does not begin with JWT_SCOPE_PREFIX/],
    ['{"owner":null}', /role "owner" has a scope that does not begin with JWT_SCOPE_PREFIX/]
  ]
  for (const [file, message] of files) t.match(refusal(env, file), message)
})
