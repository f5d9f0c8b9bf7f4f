export type { Broker } from './broker.ts'
export { BrokerSet } from './broker-set.ts'
export type { Credentials } from './broker-set.ts'
export type { BrokerConnectionOptions, BrokerSetOptions } from './broker-options.ts'
export type { BrokerStats } from './broker-stats.ts'
export type { BrokerFault, BrokerStatus } from './broker-status.ts'
export { ByteBudget } from './common/budget.ts'
export { Lease } from './common/lease.ts'
export { Permits } from './common/permits.ts'
export { shuttingDown } from './ended.ts'
export { StreamsError } from './errors.ts'
export type { DetailName, ErrorDetails, SideEffects, StreamsErrorCode } from './errors.ts'
export { Backoff } from './common/backoff.ts'
export type { Logger } from './common/logger.ts'
export { pause, waitUntil, within } from './common/wait.ts'
export { FILTER_VALUE_ANNOTATION } from './filter-value.ts'
export { refusalOf } from './connections/connect-error.ts'
export type { Refusal } from './connections/connect-error.ts'
export { MessageBatch, sectionsOf } from './message-batch.ts'
export { MAX_OFFSET } from './offset.ts'
export type { Position } from './offset.ts'
export type { NodeDisk } from './management/sampled-listing.ts'
export type { LagFigures, StreamFigures } from './sampling/figures.ts'
export type { Sampler, SamplerOptions } from './sampling/sampler.ts'
export type { StreamDescription } from './topology/stream-admin.ts'
export { refuseBadReference } from './topology/stream-names.ts'
export type { StreamFilter } from './topology/stream-list.ts'
export { STREAM_ARGUMENTS } from './topology/stream-arguments.ts'
export type { StreamArguments } from './topology/stream-arguments.ts'

export type { PartitionDescription } from './topology/super-stream-view.ts'
export type { Partition, PartitionCheck, RoutedPublishOptions } from './ports/super-streams-port.ts'
export type { PublishingPort } from './ports/publishing-port.ts'
export type { ActiveConsumer, ActiveConsumerHandlers, Deactivation } from './consuming/active-consumer.ts'
export type { Seat } from './connections/seat.ts'
export type { ActiveFollow, ActiveFollowListener } from './consuming/active-follow.ts'
export type { ConsumerOffset, Stored } from './consuming/consumer-offsets.ts'
export type { ConsumerFollow } from './consuming/consumer-follow.ts'
export type { ConsumerReadRequest } from './consuming/consumer-polls.ts'
export type { ConsumerInfo, PublisherInfo, Sources } from './directory/directory.ts'
export { hashOf } from './partitions/hash.ts'
export { canCompress } from './protocol/index.ts'
export type { Compression } from './protocol/index.ts'
export { refuseUnsendable } from './publishing/message-size.ts'
export type { PublishFailure, PublishResult } from './publishing/outcome.ts'
export type { PublishOptions, StreamedPublishOptions } from './publishing/publisher-pool.ts'
export type { StreamedSession } from './publishing/publish-session.ts'
export { ReadFilter } from './reading/filter.ts'
export type { Condition, FilterOptions, TextPattern } from './reading/filter.ts'
export type { Search } from './reading/search.ts'
export type { ChunkPart, PartBounds } from './reading/chunk-part.ts'
export type { FollowListener, FollowState, LiveSource } from './reading/live-source.ts'
export type { HeldChunk } from './reading/held-chunk.ts'
export { ENTRY_LENGTH_BYTES } from './reading/read-pieces.ts'
export type { ReadRequest } from './reading/polls.ts'
export type { MergedBatch, PartitionGap, Unavailable } from './merging/merged-batch.ts'
export type { PartitionStored } from './merging/merged-offsets.ts'
export type { FollowedPartition } from './merging/followed-partition.ts'
export { cursorSuffix, keyTextOf } from './merging/cursor.ts'
export type { MergedFollow } from './merging/merged-follow.ts'
export type { MergedFollowListener } from './merging/merged-follow-options.ts'
export type { MergedRequest, MergedStart } from './merging/merged-polls.ts'
export type { ConsumerBatch } from './consuming/commit-offset.ts'
export type { ReadBatch } from './reading/read-batch.ts'
export type { EntryRun, Gap, ReadMessage, ReadPiece, Unreadable } from './reading/read-pieces.ts'

export {
  AmqpDecodeError,
  AmqpTooLargeError,
  arrayFault,
  asciiProperties,
  dataBodyOf,
  dataSectionHeaderLength,
  decodeMessage,
  fieldText,
  loneDataStart,
  longValueOf,
  MAX_DEPTH,
  PROPERTY_INDEX,
  splitAnnotations,
  withAnnotations,
  writeDataSectionHeader
} from './amqp/index.ts'
export type {
  AmqpBody, AmqpHeader, AmqpMap, AmqpMessage, AmqpProperties, AmqpValue, LongValue, OutgoingMessage, Split, TextField
} from './amqp/index.ts'
