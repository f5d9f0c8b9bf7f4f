import type { SettingReader } from './setting-reader.ts'

/** Live answers: those that follow a stream. */
export function readLive (read: SettingReader) {
  return {
    maxConnections: read.integer(
      'LIVE_MAX_CONNECTIONS',
      { default: 5000, min: 0, max: 1_000_000 },
      'Most live answers at once; further ones are refused with 503 `overloaded`'
    ),
    sendTimeoutMs: read.integer(
      'LIVE_SEND_TIMEOUT_MS',
      { default: 30_000, min: 1000, max: 3_600_000 },
      'A live answer whose client takes nothing for this time is cut off'
    ),
    maxDurationMs: read.integer(
      'LIVE_MAX_DURATION_MS',
      { default: 900_000, min: 0, max: 86_400_000 },
      'A live answer ends after this time, 10 % more or less, so that clients spread over instances; 0 is never'
    )
  }
}
