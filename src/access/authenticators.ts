import type { Caller } from './caller.ts'

/** Where a request comes from. */
export interface Origin {
  /** The address of the client, as far as it is known; for limits on guessing and for audit lines. */
  readonly address: string | undefined
}

/**
 * One way to find out who makes a request. It answers at once where it can: a promise costs a turn.
 *
 * @throws AccessError `unauthorized` for a credential that is not valid, or what else keeps it from telling
 */
export type Authenticator<C> = (credential: C, origin: Origin) => Caller | Promise<Caller>
