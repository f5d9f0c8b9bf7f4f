import type { IncomingHttpHeaders } from 'node:http'
import { invalidRequest } from '../../api/problems.ts'
import { PushError } from '../../push/push-error.ts'

/** What must hold of a subscription before it is changed. */
export interface Conditions {
  /** One of these versions; `any`: it must exist; undefined: no condition. */
  readonly match: 'any' | readonly string[] | undefined
  /** It must not exist. */
  readonly isNew: boolean
}

const TAG = /^"[^"]*"$/

/** The conditions in the headers of a request. @throws RequestError */
export function conditionsOf (headers: IncomingHttpHeaders): Conditions {
  const match = headers['if-match']?.trim()
  const none = headers['if-none-match']?.trim()
  if (none !== undefined && none !== '*') {
    throw invalidRequest([{ pointer: '/headers/if-none-match', message: 'must be *' }])
  }
  if (match === undefined || match === '*') return { match: match && 'any', isNew: none === '*' }
  const tags = match.split(',').map((tag) => tag.trim())
  // A weak tag never matches: this is how RFC 9110 wants it.
  if (!tags.every((tag) => TAG.test(tag.replace(/^W\//, '')))) {
    const message = 'must be * or the ETag of the subscription, in its quotation marks'
    throw invalidRequest([{ pointer: '/headers/if-match', message }])
  }
  return { match: tags, isNew: none === '*' }
}

/** @param version that the subscription has; undefined: there is no such subscription. @throws PushError */
export function refuseUnless ({ match, isNew }: Conditions, version: number | undefined): void {
  const facts = { version: version ?? null }
  if (version !== undefined) {
    if (isNew) throw new PushError('subscription_version_differs', `it exists, with version ${version}`, facts)
    if (match === undefined || match === 'any' || match.includes(etagOf(version))) return
    throw new PushError('subscription_version_differs', `the subscription has version ${version}`, facts)
  }
  if (match === undefined) return
  throw new PushError('subscription_version_differs', 'the subscription does not exist', facts)
}

export function etagOf (version: number): string {
  return `"${version}"`
}
