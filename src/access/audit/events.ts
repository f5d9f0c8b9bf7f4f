import type { Scheme } from '../caller.ts'

/** What the audit log tells of. Names and numbers only: no credential, no body, no query string. */
export type AuditEvent =
  | { readonly event: RefusalName, readonly reason: string }
  | { readonly event: 'auth.first_seen' }
  | ReloadEvent
  | ChangeEvent

/** A file that says who may call was read again, and has this many entries. */
export type ReloadEvent =
  | { readonly event: 'keys.reloaded', readonly keys: number }
  | { readonly event: 'certificates.reloaded', readonly certificates: number }

export type RefusalName = 'auth.refused' | 'access.refused'

/** What a request has changed. */
export interface ChangeEvent extends Facts { readonly event: ChangeName }

export type ChangeName =
  | 'stream.created' | 'stream.deleted' | 'super_stream.created' | 'super_stream.deleted'
  | 'offset.reset' | 'offset.stored' | 'publish'
  | 'subscription.changed' | 'subscription.deleted' | 'subscription.paused' | 'subscription.resumed'
  | 'subscription.reset' | 'subscription.skipped' | 'subscription.secret_replaced' | 'subscription.tested'
  | 'subscription.redriven' | 'subscription.redrive_cancelled'

/** What is known of a change, where there is something to know. */
export interface Facts {
  readonly stream?: string | undefined
  readonly superStream?: string | undefined
  readonly consumer?: string | undefined
  readonly publisher?: string | undefined
  readonly subscription?: string | undefined
  /** The stored offset before; null when nothing was stored. */
  readonly from?: string | number | null | undefined
  /** The stored offset afterwards. */
  readonly to?: string | number | null | undefined
  readonly confirmed?: number | undefined
  readonly duplicates?: number | undefined
  readonly failed?: number | undefined
}

/** The request that an event belongs to. */
export interface AuditedRequest {
  /** Undefined without authentication, and for a credential that belongs to no caller. */
  readonly caller: string | undefined
  /** The id of its key, where it may have several. */
  readonly credential: string | undefined
  readonly scheme: Scheme | undefined
  readonly address: string | undefined
  readonly reqId: string
  readonly operationId: string | undefined
}

/** How a request ended. */
export type Ending = number | 'client gone'

/** A line of the audit log. */
export type AuditLine = { readonly audit: true } & AuditEvent & Partial<AuditedRequest> & {
  readonly status?: Ending | undefined
  /** How many more of the same came within the seconds before. */
  readonly repeated?: number | undefined
  readonly seconds?: number | undefined
}
