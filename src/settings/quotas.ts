import type { SettingReader } from './setting-reader.ts'
import { MIB } from './units.ts'

/** How much one caller may use. */
export function readQuotas (read: SettingReader) {
  return {
    requestsPerSecond: read.integer(
      'QUOTA_REQUESTS_PER_SECOND',
      { default: 0, min: 0, max: 1_000_000 },
      'Most requests a second of one caller, which may save two seconds of them; above it 429 `too_many_requests`. 0 ' +
      'is no limit, in each of the quotas. A caller without a credential is an address'
    ),
    publishBytesPerSecond: read.integer(
      'QUOTA_PUBLISH_BYTES_PER_SECOND',
      { default: 0, min: 0, max: 1024 * 1024 * MIB },
      'Most bytes a second of the bodies that one caller publishes. A streamed publish above it is read more slowly'
    ),
    readBytesPerSecond: read.integer(
      'QUOTA_READ_BYTES_PER_SECOND',
      { default: 0, min: 0, max: 1024 * 1024 * MIB },
      'Most bytes a second of the answers to reads of one caller. An answer that is larger is paid for by the next read'
    ),
    concurrentRequests: read.integer(
      'QUOTA_CONCURRENT_REQUESTS',
      { default: 0, min: 0, max: 1_000_000 },
      'Most requests of one caller at once, waiting reads included'
    )
  }
}
