import type { Definition } from '../definitions/definition.ts'
import type { RetryPolicy } from '../delivery/delivery.ts'

/** How the deliveries of a subscription retry. */
export function policyOf ({ retry, onFailure, maxConsecutiveFailures }: Definition): RetryPolicy {
  const { initialDelayMs, maxDelayMs, factor, maxAttempts, messageAttempts, maxOutageSeconds } = retry
  const maxOutageMs = maxOutageSeconds * 1000
  // Without a rest (`...`), whose objects have a hidden class each: every subscription has one of these.
  return {
    initialDelayMs, maxDelayMs, factor, maxAttempts, messageAttempts, maxOutageMs, onFailure, maxConsecutiveFailures
  }
}
