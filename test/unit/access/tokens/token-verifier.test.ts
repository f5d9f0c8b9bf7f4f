import { CompactSign, exportSPKI, SignJWT, type JWK } from 'jose'
import fc from 'fast-check'
import { createSecretKey } from 'node:crypto'
import t from 'tap'
import { fixedKeys } from '../../../../src/access/tokens/fixed-keys.ts'
import { TokenVerifier, type TokenRules } from '../../../../src/access/tokens/token-verifier.ts'
import { parsePublicKeys } from '../../../../src/settings/token-files.ts'
import { FakeClock } from '../../../support/fake-clock.ts'
import {
  AUDIENCE, inSeconds, ISSUER, newSigningKey, signedToken, type SigningKey, type TokenContent
} from '../../../support/tokens.ts'

const RULES: TokenRules = {
  issuer: ISSUER,
  audience: AUDIENCE,
  algorithms: ['RS256', 'PS256', 'ES256', 'EdDSA'],
  requiredType: undefined,
  clockToleranceSeconds: 30
}

const key = await newSigningKey('key-1')
const clock = new FakeClock()
const refused = (reason: RegExp) => ({ name: 'AccessError', code: 'unauthorized', reason })

function verifier (rules: Partial<TokenRules> = {}, keys: JWK[] = [key.jwk]): TokenVerifier {
  return new TokenVerifier({ ...RULES, ...rules }, fixedKeys(keys), clock)
}

t.test('a token of each allowed algorithm is verified', async (t) => {
  for (const alg of RULES.algorithms) {
    const key = await newSigningKey(alg, alg)
    const { claims } = await verifier({}, [key.jwk]).verify(await signedToken(key))
    t.equal(claims.sub, 'billing', alg)
  }
})

t.test('without an allowed algorithm and a signature of the right key a token is refused', async (t) => {
  const good = await signedToken(key)
  const [header = '', claims = '', signature = ''] = good.split('.')
  const [, otherClaims = ''] = (await signedToken(key, { claims: { sub: 'admin' } })).split('.')
  const attacker = await newSigningKey('key-1')
  const secret = createSecretKey(await exportSPKI(key.publicKey), 'utf8')
  const confused = await new SignJWT({ iss: ISSUER, aud: AUDIENCE, sub: 'admin', exp: inSeconds(60) })
    .setProtectedHeader({ alg: 'HS256', kid: 'key-1' }).sign(secret)
  const tokens: ReadonlyArray<[string, string, RegExp]> = [
    ['alg none', `${encoded({ alg: 'none' })}.${claims}.`, /three parts/],
    ['alg none with a signature', `${encoded({ alg: 'none' })}.${claims}.${signature}`, /JWT_ALGORITHMS/],
    ['alg nOnE', `${encoded({ alg: 'nOnE' })}.${claims}.${signature}`, /JWT_ALGORITHMS/],
    ['an alg that is not a text', `${encoded({ alg: ['ES256'] })}.${claims}.${signature}`, /JWT_ALGORITHMS/],
    ['HS256 with the public key', confused, /JWT_ALGORITHMS/],
    ['ES384', `${encoded({ alg: 'ES384', kid: 'key-1' })}.${claims}.${signature}`, /JWT_ALGORITHMS/],
    ['another algorithm than the key has', `${encoded({ alg: 'RS256', kid: 'key-1' })}.${claims}.${signature}`, /key/],
    ["another's key under the same id", await signedToken(attacker), /signature/],
    ['other claims', `${header}.${otherClaims}.${signature}`, /signature/],
    ['no signature', `${header}.${claims}.`, /three parts/],
    ['half a signature', `${header}.${claims}.${signature.slice(0, 40)}`, /signature/],
    ['two parts', `${header}.${claims}`, /three parts/],
    ['two dots', '..', /three parts/],
    ['five parts', `${good}.${claims}.${signature}`, /three parts/],
    ['nothing', '', /three parts/],
    ['a header that is not JSON', `${Buffer.from('{').toString('base64url')}.${claims}.${signature}`, /header/],
    ['a header that is an array', `${Buffer.from('[]').toString('base64url')}.${claims}.${signature}`, /header/]
  ]
  for (const [what, token, reason] of tokens) await t.rejects(verifier().verify(token), refused(reason), what)
})

t.test('the header cannot bring a key, nor say that something is critical', async (t) => {
  const attacker = await newSigningKey('evil')
  const jku = 'https://attacker.example/keys'
  const headers: ReadonlyArray<[Record<string, unknown>, RegExp]> = [
    [{ jwk: attacker.jwk }, /key that the provider does not have/],
    [{ jku, x5u: jku }, /key that the provider does not have/],
    [{ kid: 'key-1', jwk: attacker.jwk, jku }, /signature/],
    [{ kid: '../../../../etc/passwd' }, /key that the provider does not have/],
    [{ kid: "' OR 1=1 --" }, /key that the provider does not have/],
    [{ kid: '__proto__' }, /key that the provider does not have/],
    [{ kid: 'k'.repeat(8000) }, /key id/],
    [{ kid: 7 }, /key id/],
    [{ kid: 'key-1', crit: ['b64'], b64: true }, /critical/]
  ]
  for (const [header, reason] of headers) {
    await t.rejects(verifier().verify(await signedToken(attacker, { header })), refused(reason), JSON.stringify(header))
  }
})

t.test('exp, iss, aud and sub have to be there, and be right', async (t) => {
  const contents: ReadonlyArray<[Record<string, unknown>, RegExp]> = [
    [{ exp: undefined }, /exp/], [{ iss: undefined }, /iss/], [{ aud: undefined }, /aud/], [{ sub: undefined }, /sub/],
    [{ iss: `${ISSUER}/` }, /iss/], [{ iss: [ISSUER] }, /iss/],
    [{ aud: 'another' }, /aud/], [{ aud: ['another', 'third'] }, /aud/], [{ aud: [] }, /aud/],
    [{ exp: 'tomorrow' }, /exp/], [{ exp: 1e300 }, /exp/], [{ exp: null }, /exp/], [{ nbf: '0' }, /nbf/]
  ]
  for (const [claims, reason] of contents) {
    await t.rejects(verifier().verify(await signedToken(key, { claims })), refused(reason), JSON.stringify(claims))
  }
  await t.resolves(verifier().verify(await signedToken(key, { claims: { aud: ['another', AUDIENCE] } })))
  const foreign = await signedToken(key, { claims: { iss: 'https://another.example' } })
  await t.resolves(verifier({ issuer: undefined }).verify(foreign), 'no issuer is asked for')
  await t.rejects(verifier({ issuer: undefined }).verify(await signedToken(key, { claims: { iss: undefined } })))
})

t.test('exp and nbf hold to the second, the tolerance included', async (t) => {
  const nowSeconds = Math.floor(clock.now() / 1000)
  const at = async (claims: TokenContent['claims']) => await verifier().verify(await signedToken(key, { claims }))
  t.equal((await at({ exp: nowSeconds - 29 })).endsMs, (nowSeconds + 1) * 1000)
  await t.rejects(at({ exp: nowSeconds - 30 }), refused(/exp/))
  await t.resolves(at({ nbf: nowSeconds + 30 }))
  await t.rejects(at({ nbf: nowSeconds + 31 }), refused(/nbf/))
})

t.test('a member that is there twice is refused, at any depth and however it is written', async (t) => {
  const claims = JSON.stringify({ iss: ISSUER, aud: AUDIENCE, sub: 'billing', exp: inSeconds(60) }).slice(0, -1)
  for (const more of ['"sub":"admin"', '"s\\u0075b":"admin"', '"x":[{"y":{"a":1,"a":2}}]', '"__proto__":{}']) {
    const token = await signed(`${claims},${more}}`)
    await t.rejects(verifier().verify(token), refused(/twice|__proto__/), more)
  }
  await t.resolves(verifier().verify(await signed(`${claims},"x":[{"a":1},{"a":2}, []],"y":{} , "z":" \\" "}`)))
  const header = Buffer.from('{"alg":"none","alg":"ES256","kid":"key-1"}').toString('base64url')
  const [, ...rest] = (await signedToken(key)).split('.')
  await t.rejects(verifier().verify([header, ...rest].join('.')), refused(/twice/))
  await t.rejects(verifier().verify(await signed(`${claims},"x":${'['.repeat(20)}${']'.repeat(20)}}`)), refused(/deep/))
})

t.test('where a type is asked for, an ID token is refused', async (t) => {
  const strict = verifier({ requiredType: 'at+jwt' })
  await t.resolves(strict.verify(await signedToken(key, { header: { typ: 'at+JWT' } })))
  await t.resolves(strict.verify(await signedToken(key, { header: { typ: 'application/at+jwt' } })))
  await t.rejects(strict.verify(await signedToken(key, { header: { typ: 'JWT' } })), refused(/typ/))
  await t.rejects(strict.verify(await signedToken(key)), refused(/typ/))
})

t.test('each key of a PEM file is tried, whatever key id a token names', async (t) => {
  const pairs: SigningKey[] = []
  for (const alg of ['RS256', 'ES256', 'ES256', 'EdDSA']) pairs.push(await newSigningKey('any', alg))
  const pems = await Promise.all(pairs.map(async ({ publicKey }) => await exportSPKI(publicKey)))
  const keys = fixedKeys(parsePublicKeys(pems.join('\n')))
  const fromPem = new TokenVerifier(RULES, keys, clock)
  for (const pair of pairs) await t.resolves(fromPem.verify(await signedToken(pair)), pair.alg)
  await t.rejects(fromPem.verify(await signedToken(key)), refused(/no key verifies/))
})

function encoded (value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

async function signed (claims: string): Promise<string> {
  return await new CompactSign(Buffer.from(claims)).setProtectedHeader({ alg: 'ES256', kid: 'key-1' })
    .sign(key.privateKey)
}

t.test('a token has one text: other spellings of its signature are refused', async (t) => {
  const good = await signedToken(key)
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const last = alphabet.indexOf(good.at(-1) ?? '')
  for (let bits = 1; bits < 16; bits++) {
    const token = good.slice(0, -1) + (alphabet[last + bits] ?? '')
    if (token !== good) await t.rejects(verifier().verify(token), refused(/./), token.slice(-4))
  }
  await t.rejects(verifier().verify(`${good}=`), refused(/./))
  const at = good.lastIndexOf('.')
  const plain = good.slice(0, at) + good.slice(at).replaceAll('-', '+').replaceAll('_', '/')
  if (plain !== good) await t.rejects(verifier().verify(plain), refused(/./))
})

t.test('whatever is changed in a token, it is refused, and in no other way', async (t) => {
  const good = await signedToken(key)
  const index = fc.nat({ max: good.length - 1 })
  const character = fc.constantFrom(...'ABCxyz019-_.=+/ \n\0é')
  const change = fc.tuple(index, character, fc.constantFrom('replace', 'insert', 'remove'))
  await fc.assert(fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
    let token = good
    for (const [at, character, kind] of changes) {
      token = token.slice(0, at) + (kind === 'remove' ? '' : character) + token.slice(kind === 'insert' ? at : at + 1)
    }
    if (token === good) return
    await t.rejects(verifier().verify(token), refused(/./), JSON.stringify(token))
  }), { numRuns: 1000 })
})
