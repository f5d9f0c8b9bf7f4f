import { BURST_SECONDS } from './bucket.ts'
import type { QuotaName, Standing } from './quota.ts'

// What a quota counts. Without a word it is requests.
const UNITS: Readonly<Record<QuotaName, string>> = {
  requests: '',
  'publish-bytes': ';qu="content-bytes"',
  'read-bytes': ';qu="content-bytes"',
  'concurrent-requests': ';qu="concurrent-requests"'
}

/**
 * The field `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11): how much each quota gives, and in how many
 * seconds. The window is that of the burst, so that what remains is never more than the quota.
 */
export function policyField (standings: readonly Standing[]): string {
  return standings.map(({ quota, capacity, secondsUntilFull }) => {
    const window = secondsUntilFull === undefined ? '' : `;w=${BURST_SECONDS}`
    return `"${quota}";q=${capacity}${UNITS[quota]}${window}`
  }).join(', ')
}

/** The field `RateLimit` of the same draft: what remains of each quota, and in how many seconds it is whole again. */
export function limitField (standings: readonly Standing[]): string {
  return standings.map(({ quota, remaining, secondsUntilFull }) => {
    const window = secondsUntilFull === undefined ? '' : `;t=${Math.max(1, Math.ceil(secondsUntilFull))}`
    return `"${quota}";r=${remaining}${window}`
  }).join(', ')
}
