import { AccessError, notValid } from './access-error.ts'
import type { Authenticator, Origin } from './authenticators.ts'
import type { Caller } from './caller.ts'
import { readCredential, type Credential } from './credential.ts'
import { claimsOf } from './token-claims.ts'

/** The ways that are open to callers; a way that is not there is closed. */
export interface Authenticators {
  readonly key?: Authenticator<string> | undefined
  /** A token of an identity provider. Without it, a token is the password of a RabbitMQ user without a name. */
  readonly token?: Authenticator<string> | undefined
  readonly rabbitmq?: Authenticator<Login> | undefined
  /** The names in a client's certificate that TLS has verified, the most telling one first. */
  readonly certificate?: Authenticator<readonly string[]> | undefined
}

/** A RabbitMQ user. Its name is empty where the password is a token. */
export interface Login { readonly user: string, readonly password: string }

/** What a request brings to show who makes it. */
export interface Presented extends Origin {
  readonly authorization: string | undefined
  /** The names in the client's certificate; undefined without one that TLS has verified. */
  readonly certificate: readonly string[] | undefined
}

/** Finds out who makes a request. The credential itself shows which way it is for. */
export class Gate {
  readonly #ways: Authenticators

  constructor (ways: Authenticators) {
    this.#ways = ways
  }

  /** @throws AccessError `unauthorized` and what the way throws */
  identify (presented: Presented): Caller | Promise<Caller> {
    const credential = readCredential(presented.authorization)
    const { certificate } = presented
    if (credential.type === 'none' && certificate !== undefined && this.#ways.certificate !== undefined) {
      return this.#ways.certificate(certificate, presented)
    }
    return this.#by(credential, presented)
  }

  #by (credential: Credential, origin: Origin): Caller | Promise<Caller> {
    const { key, token, rabbitmq } = this.#ways
    switch (credential.type) {
      case 'none':
        throw noCredential()
      case 'key':
        if (key === undefined) throw notValid('API keys are not accepted')
        return key(credential.key, origin)
      case 'bearer':
        if (token !== undefined) return token(credential.token, origin)
        if (rabbitmq === undefined) throw notValid('Bearer tokens are not accepted')
        return rabbitmq({ user: '', password: credential.token }, origin)
      case 'basic':
        if (rabbitmq === undefined) throw notValid('Basic is not accepted')
        return rabbitmq(loginOf(credential), origin)
    }
  }
}

// RabbitMQ looks at no name beside a token: without this, the bearer of a token could appear under the name of another.
function loginOf ({ user, password }: Login): Login {
  return { user: claimsOf(password) === undefined ? user : '', password }
}

function noCredential (): AccessError {
  const message = 'the request has no credential: send one in Authorization'
  return new AccessError('unauthorized', message, { reason: 'no credential' })
}
