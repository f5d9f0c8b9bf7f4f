import { parseRfc3339 } from '../../text/rfc3339.ts'
import type { AccessError } from '../access-error.ts'
import type { Caller, Limits, Rights, Scheme } from '../caller.ts'
import { rightsOf } from '../scopes.ts'
import type { Entry } from './entry.ts'

/** The caller of an entry. */
export class EntryCaller implements Caller {
  readonly id: string
  readonly credentialId: string
  readonly scheme: Scheme
  readonly rights: Rights
  readonly limits: Limits
  readonly expiresMs: number | undefined
  #end: AbortController | undefined
  #reason: AccessError | undefined

  constructor (entry: Entry, scheme: Scheme, virtualHost: string) {
    this.id = entry.name
    this.credentialId = entry.id
    this.scheme = scheme
    this.rights = rightsOf(entry, virtualHost)
    this.limits = entry.limits ?? {}
    this.expiresMs = entry.expires === undefined ? undefined : parseRfc3339(entry.expires)
  }

  // Made for those who call: a thousand of them take longer than all else about reading a file of keys.
  get ended (): AbortSignal {
    if (this.#end === undefined) {
      this.#end = new AbortController()
      if (this.#reason !== undefined) this.#end.abort(this.#reason)
    }
    return this.#end.signal
  }

  get hasEnded (): boolean {
    return this.#reason !== undefined
  }

  /** The credential is no longer valid; the first reason counts. */
  end (reason: AccessError): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.#end?.abort(reason)
  }
}
