import type { SettingReader } from './setting-reader.ts'
import { KIB, MIB } from './units.ts'

/** The resources kept open at the broker, and the memory that messages may take. */
export function readPools (read: SettingReader) {
  return { ...readIdle(read), ...readBudgets(read) }
}

function readIdle (read: SettingReader) {
  return {
    maxPublishers: read.integer(
      'MAX_PUBLISHERS',
      { default: 1000, min: 1, max: 100_000 },
      'Most declared publishers kept at once: one for each stream and publisher name in use'
    ),
    publisherIdleMs: read.integer(
      'PUBLISHER_IDLE_MS',
      { default: 60_000, min: 100, max: 3_600_000 },
      'A publisher that was not used for this time is deleted'
    ),
    maxReaders: read.integer('MAX_READERS', { default: 500, min: 1, max: 100_000 }, 'Most subscriptions kept at once'),
    readerIdleMs: read.integer(
      'READER_IDLE_MS',
      { default: 30_000, min: 100, max: 3_600_000 },
      'A subscription that no read used for this time is ended'
    ),
    maxConnections: read.integer(
      'MAX_BROKER_CONNECTIONS',
      { default: 1000, min: 10, max: 100_000 },
      'Most connections to the broker, of all callers together'
    ),
    connectionIdleMs: read.integer(
      'RABBITMQ_CONNECTION_IDLE_MS',
      { default: 60_000, min: 100, max: 3_600_000 },
      'A connection to the broker is closed when it had no publisher and no subscription for this time'
    )
  }
}

function readBudgets (read: SettingReader) {
  return {
    readerWindowBytes: read.integer(
      'READER_WINDOW_BYTES',
      { default: 8 * MIB, min: 64 * KIB, max: 1024 * MIB },
      'Most bytes that one subscription holds in advance'
    ),
    readBudgetBytes: read.integer(
      'READ_BUDGET_BYTES',
      { default: 256 * MIB, min: 1 * MIB, max: 1024 * 1024 * MIB },
      'Most bytes that all subscriptions and answers under way hold together; above it reads are refused with 503 ' +
      '`overloaded`'
    ),
    publishBudgetBytes: read.integer(
      'PUBLISH_BUDGET_BYTES',
      { default: 128 * MIB, min: 1 * MIB, max: 1024 * 1024 * MIB },
      'Most bytes that wait for confirms at once; above it publishes are refused with 503 `overloaded`'
    ),
    maxExpandedSubEntryBytes: read.integer(
      'MAX_EXPANDED_SUB_ENTRY_BYTES',
      { default: 64 * MIB, min: 1 * MIB, max: 1024 * MIB },
      'Largest expanded size of a compressed sub-entry batch; a larger one is returned as it is'
    )
  }
}
