import type { Limits } from '../caller.ts'

/** The limits of a caller: its own, and those of the settings where it has none. Undefined when nothing limits it. */
export function limitsOf (own: Limits, settings: Limits): Limits | undefined {
  const limits = {
    requestsPerSecond: own.requestsPerSecond ?? settings.requestsPerSecond ?? 0,
    publishBytesPerSecond: own.publishBytesPerSecond ?? settings.publishBytesPerSecond ?? 0,
    readBytesPerSecond: own.readBytesPerSecond ?? settings.readBytesPerSecond ?? 0,
    concurrentRequests: own.concurrentRequests ?? settings.concurrentRequests ?? 0
  }
  return isLimiting(limits) ? limits : undefined
}

/** Whether anything is limited. */
export function isLimiting (limits: Limits): boolean {
  const { requestsPerSecond = 0, publishBytesPerSecond = 0, readBytesPerSecond = 0, concurrentRequests = 0 } = limits
  return requestsPerSecond > 0 || publishBytesPerSecond > 0 || readBytesPerSecond > 0 || concurrentRequests > 0
}
