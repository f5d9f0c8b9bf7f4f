/** Where a subscription without a stored offset begins. */
export type Start = 'first' | 'last' | 'next' | { readonly offset: number } | { readonly timestamp: string }

/** What a subscription is, as it is kept. Secrets and values of headers are sealed. */
export interface Definition {
  readonly url: string
  readonly start: Start
  readonly ordering: 'stream' | 'key' | 'none'
  /** `properties.groupId`, `properties.subject` or `applicationProperties.<name>`; with `ordering: key` only. */
  readonly orderingKey: string | null
  readonly concurrency: number
  readonly batch: { readonly maxMessages: number, readonly maxBytes: number, readonly maxWaitMs: number }
  readonly format: 'message' | 'raw'
  readonly filter: { readonly filterValues: readonly string[], readonly matchUnfiltered: boolean }
  readonly timeoutMs: number
  readonly retry: {
    readonly initialDelayMs: number
    readonly maxDelayMs: number
    readonly factor: number
    readonly maxAttempts: number
    readonly messageAttempts: number
    readonly maxOutageSeconds: number
  }
  readonly onFailure: 'errorStream' | 'pause' | 'drop'
  readonly errorStream: string
  readonly maxConsecutiveFailures: number
  readonly commit: { readonly everyMs: number, readonly everyMessages: number }
  /** Sealed values by the name of the header, in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly secrets: readonly Secret[]
  readonly consumer: string
  /** Why it is paused; null: it is not. */
  readonly paused: PauseCause | null
}

/** A secret, sealed. */
export interface Secret {
  readonly sealed: string
  /** By the clock, ms since 1970: from then on it does not sign. Null: no end. */
  readonly until: number | null
}

const PAUSE_CAUSES = ['operator', 'gone', 'outage', 'too_many_failures', 'message_failed'] as const

export type PauseCause = typeof PAUSE_CAUSES[number]

/** Whether a text is the cause of a pause. */
export function isPauseCause (text: string | null): text is PauseCause {
  return PAUSE_CAUSES.some((cause) => cause === text)
}
