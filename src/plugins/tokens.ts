import type { FastifyInstance } from 'fastify'
import { Gauge } from 'prom-client'
import type { Authenticator } from '../access/authenticators.ts'
import { SYSTEM_CLOCK, type Clock } from '../access/tokens/clock.ts'
import { fixedKeys } from '../access/tokens/fixed-keys.ts'
import { faultOfProviderUrl } from '../access/tokens/provider-url.ts'
import { RenewedKeys, type KeysState } from '../access/tokens/renewed-keys.ts'
import { TokenCallers } from '../access/tokens/token-callers.ts'
import type { TokenKeys } from '../access/tokens/token-keys.ts'
import { TokenVerifier } from '../access/tokens/token-verifier.ts'
import type { Config } from '../config.ts'
import { ProviderDocuments } from './provider-documents.ts'

const DISCOVERY = '/.well-known/openid-configuration'

/** Who makes a request, by a token of an identity provider. It begins to load the provider's keys. */
export function tokenAuthenticator (
  app: FastifyInstance, { tokens, rabbitmq }: Config, clock: Clock = SYSTEM_CLOCK
): Authenticator<string> {
  const verifier = new TokenVerifier({ ...tokens, audience: tokens.audience ?? '' }, keysOf(app, tokens, clock), clock)
  const callers = new TokenCallers(verifier, {
    scopes: { claim: tokens.scopeClaim, prefix: tokens.scopePrefix, aliases: tokens.scopeAliases },
    callerClaim: tokens.callerClaim,
    virtualHost: rabbitmq.stream.virtualHost,
    maxBytes: tokens.maxBytes
  }, clock)
  app.onShutdown('broker', () => { callers.close() })
  return (token) => callers.identify(token)
}

function keysOf (app: FastifyInstance, tokens: Config['tokens'], clock: Clock): TokenKeys {
  if (tokens.publicKeys !== undefined) return fixedKeys(tokens.publicKeys)
  const documents = new ProviderDocuments()
  const keys = new RenewedKeys({
    load: async () => await documents.get(tokens.jwksUrl ?? await discovered(documents, tokens.issuer ?? '')),
    report: (state, reason) => { report(app, state, reason) },
    clock
  })
  addAge(app, keys)
  keys.start()
  app.onShutdown('broker', async () => {
    keys.close()
    await documents.close()
  })
  return keys
}

/** Where the keys of an issuer are (OpenID Connect Discovery 1.0). */
async function discovered (documents: ProviderDocuments, issuer: string): Promise<string> {
  const document = await documents.get(`${issuer.replace(/\/$/, '')}${DISCOVERY}`)
  if (typeof document !== 'object' || document === null) throw new Error(`the discovery of ${issuer} is not an object`)
  const named: unknown = Reflect.get(document, 'issuer')
  const address: unknown = Reflect.get(document, 'jwks_uri')
  // Otherwise the server of one issuer could speak for another one.
  if (named !== issuer) throw new Error('the discovery names another issuer than JWT_ISSUER; they have to be equal')
  if (typeof address !== 'string') throw new Error('the discovery has no jwks_uri')
  const fault = faultOfProviderUrl(address)
  if (fault !== undefined) throw new Error(`the jwks_uri of the discovery ${fault}`)
  return address
}

function report (app: FastifyInstance, state: KeysState, reason: string): void {
  switch (state) {
    case 'loaded':
      app.log.info({}, 'the keys for tokens are loaded')
      return
    case 'stale':
      app.log.warn({ reason }, 'the keys for tokens cannot be renewed; the last ones stay in use for 24 hours')
      return
    case 'missing':
      app.log.error({ reason }, 'there are no keys for tokens: requests with a token are answered 503. ' +
        'The gateway keeps trying')
  }
}

function addAge (app: FastifyInstance, keys: RenewedKeys): void {
  const gauge: Gauge = new Gauge({
    name: 'rabbitmq_stream_gateway_jwt_keys_age_seconds',
    help: 'How old the keys for tokens are; infinite when they were never loaded',
    registers: [app.metrics],
    collect () {
      gauge.set(keys.ageSeconds)
    }
  })
}
