import type { Verb } from './verb.ts'

/** How a caller has shown who it is; `none` without authentication. */
export type Scheme = 'none' | 'api-key' | 'jwt' | 'mtls' | 'rabbitmq'

/** The caller of a request and its rights. Requests with the same credential share one object while it is valid. */
export interface Caller {
  /** The name of a key, a user, the subject of a token or certificate: for logs and figures. Never a secret. */
  readonly id: string
  /** Which of its credentials a caller has shown, where it may have several: the id of a key. No secret either. */
  readonly credentialId?: string | undefined
  readonly scheme: Scheme
  readonly rights: Rights
  readonly limits: Limits
  /** Aborts, with an `AccessError` as its reason, when the credential is no longer valid. Undefined: it always is. */
  readonly ended?: AbortSignal | undefined
  /** When the credential expires, in milliseconds since 1970; undefined when it does not. */
  readonly expiresMs?: number | undefined
}

/** What a caller may do. Names of streams are the broker's. */
export interface Rights {
  /** Whether RabbitMQ decides what the caller may do with streams. Then `allows` is true for its own three verbs. */
  readonly areBrokers: boolean
  allows: (verb: Verb, stream: string) => boolean
  /** `monitor`, which is about no stream. */
  allowsMonitor: () => boolean
  allowsConsumer: (consumer: string) => boolean
  allowsPublisher: (publisher: string) => boolean
  /** As a caller wrote them, for `whoami`; undefined where RabbitMQ decides, or everything is allowed. */
  readonly scopes?: readonly string[] | undefined
  readonly consumers?: readonly string[] | undefined
  readonly publishers?: readonly string[] | undefined
}

/** How much a caller may use; a limit that is left out is that of the settings, and 0 means without a limit. */
export interface Limits {
  readonly requestsPerSecond?: number | undefined
  readonly publishBytesPerSecond?: number | undefined
  readonly readBytesPerSecond?: number | undefined
  readonly concurrentRequests?: number | undefined
}

/** Rights to everything. */
export const EVERYTHING: Rights = {
  areBrokers: false,
  allows: () => true,
  allowsMonitor: () => true,
  allowsConsumer: () => true,
  allowsPublisher: () => true
}

/** Every caller, without authentication. */
export const ANYBODY: Caller = { id: 'anybody', scheme: 'none', rights: EVERYTHING, limits: {} }
