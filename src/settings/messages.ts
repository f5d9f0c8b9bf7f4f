import type { SettingReader } from './setting-reader.ts'
import { KIB, MIB } from './units.ts'

/** Bounds of a publish. */
export function readPublish (read: SettingReader) {
  return {
    confirmTimeoutMs: read.integer(
      'PUBLISH_CONFIRM_TIMEOUT_MS',
      { default: 30_000, min: 100, max: 600_000 },
      'How long a message may wait for its confirm; after that its outcome is unknown'
    ),
    maxMessages: read.integer(
      'PUBLISH_MAX_MESSAGES',
      { default: 10_000, min: 1, max: 1_000_000 },
      'Most messages of a JSON body'
    ),
    maxStreamedMessages: read.integer(
      'PUBLISH_MAX_STREAMED_MESSAGES',
      { default: 1_000_000, min: 1, max: 100_000_000 },
      'Most messages of an NDJSON or lines body'
    ),
    maxMessageValues: read.integer(
      'PUBLISH_MAX_MESSAGE_VALUES',
      { default: 16_384, min: 64, max: 1_000_000 },
      'Most JSON values in the properties, application properties and annotations of a message together, and in a ' +
        'body with `bodyType`'
    ),
    maxLineBytes: read.integer(
      'PUBLISH_MAX_LINE_BYTES',
      { default: 8 * MIB, min: 1 * KIB, max: 1024 * MIB },
      'Longest line of an NDJSON or lines body'
    ),
    traceLines: read.choice(
      'TRACE_LINES',
      ['false', 'true'],
      'false',
      'Whether lines, too, are stored with the `traceparent` of their request. It takes some 80 bytes a message'
    ) === 'true'
  }
}

/** Bounds of a read. */
export function readReads (read: SettingReader) {
  return {
    maxMessages: read.integer(
      'READ_MAX_MESSAGES',
      { default: 10_000, min: 1, max: 10_000 },
      'Largest `limit` of a read'
    ),
    maxBytes: read.integer(
      'READ_MAX_BYTES',
      { default: 16 * MIB, min: 1 * KIB, max: 256 * MIB },
      'Largest `maxBytes` of a read'
    ),
    maxScanBytes: read.integer(
      'READ_MAX_SCAN_BYTES',
      { default: 64 * MIB, min: 1 * MIB, max: 1024 * 1024 * MIB },
      'Most bytes of messages that one read with a filter looks at; it then answers with what it has found'
    ),
    maxWaitSeconds: read.integer('READ_MAX_WAIT_SECONDS', { default: 60, min: 0, max: 600 }, 'Longest `wait` of a read')
  }
}
