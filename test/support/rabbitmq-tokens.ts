import { createSign, generateKeyPairSync } from 'node:crypto'
import type { BrokerNode } from '../../scripts/broker/index.mjs'

export interface TokenOptions {
  readonly scopes: readonly string[]
  /** From now on. */
  readonly seconds: number
  readonly subject?: string
}

/** Lets the node accept tokens. Returns what makes them. */
export async function acceptTokens (node: BrokerNode): Promise<(options: TokenOptions) => string> {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { n = '', e = '' } = publicKey.export({ format: 'jwk' })
  const key = `#{<<"kty">> => <<"RSA">>, <<"alg">> => <<"RS256">>, <<"n">> => <<"${n}">>, <<"e">> => <<"${e}">>}`
  await node.ctl('eval', `
    {ok, File} = application:get_env(rabbit, enabled_plugins_file),
    {ok, [Plugins]} = file:consult(File),
    ok = rabbit_file:write_term_file(File, [[rabbitmq_auth_backend_oauth2 | Plugins]]),
    {ok, _, _} = rabbit_plugins:ensure(File),
    application:set_env(rabbitmq_auth_backend_oauth2, resource_server_id, <<"rabbitmq">>),
    application:set_env(rabbitmq_auth_backend_oauth2, key_config,
      [{default_key, <<"k">>}, {signing_keys, #{<<"k">> => {map, ${key}}}}]),
    application:set_env(rabbit, auth_backends, [rabbit_auth_backend_internal, rabbit_auth_backend_oauth2]).`)
  return ({ scopes, seconds, subject = 'tokens' }) => {
    const exp = Math.floor(Date.now() / 1000) + seconds
    const signed = [
      { alg: 'RS256', typ: 'JWT', kid: 'k' }, { sub: subject, aud: 'rabbitmq', exp, scope: scopes.join(' ') }
    ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    return `${signed}.${createSign('RSA-SHA256').update(signed).sign(privateKey, 'base64url')}`
  }
}
