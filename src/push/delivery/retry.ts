/** An endpoint that asks for a longer pause is asked again after this. */
export const MAX_RETRY_AFTER_MS = 3_600_000

/** How the pauses between tries grow. */
export interface RetryDelays {
  readonly initialDelayMs: number
  readonly maxDelayMs: number
  readonly factor: number
}

/**
 * The pause after the n-th try that failed: between a half and the whole of the delay, so that many subscriptions do
 * not return at once.
 *
 * @param attempt 1 for the first try
 * @param retryAfterMs what the endpoint has asked for, if it has: it counts when it is longer, up to an hour
 */
export function delayAfter (
  attempt: number, { initialDelayMs, maxDelayMs, factor }: RetryDelays, retryAfterMs = 0, random = Math.random
): number {
  const wholeMs = Math.min(maxDelayMs, initialDelayMs * factor ** (attempt - 1))
  return Math.max(wholeMs * (0.5 + random() / 2), Math.min(retryAfterMs, MAX_RETRY_AFTER_MS))
}

/** The milliseconds that a `Retry-After` header asks for; undefined when it cannot be read or lies in the past. */
export function retryAfterMs (header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return ms > 0 ? ms : undefined
}
