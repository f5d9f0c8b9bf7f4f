import type { Definition } from '../definitions/definition.ts'
import type { RetryPolicy } from '../delivery/delivery.ts'

/** How the deliveries of a subscription retry. */
export function policyOf ({ retry, onFailure, maxConsecutiveFailures }: Definition): RetryPolicy {
  const { maxOutageSeconds, ...delays } = retry
  return { ...delays, maxOutageMs: maxOutageSeconds * 1000, onFailure, maxConsecutiveFailures }
}
