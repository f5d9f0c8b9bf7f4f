/** The time, and what is to be done later; handed in, so that a test can let a day pass. */
export interface Clock {
  /** Milliseconds since 1970. */
  now: () => number
  /** Does something once, at the earliest after this time. @returns what keeps it from being done */
  after: (ms: number, action: () => void) => () => void
}

/** The clock of the machine. */
export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  after: (ms, action) => {
    const timer = setTimeout(action, ms)
    return () => { clearTimeout(timer) }
  }
}
