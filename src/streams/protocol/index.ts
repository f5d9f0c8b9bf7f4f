export { Connection, NO_DEADLINE } from './connection.ts'
export type { AnswerUpdate, Authentication, ConnectionHandlers, ConnectionOptions, TlsOptions } from './options.ts'
export type { OffsetSpec } from './offset-spec.ts'
export { CommandKey } from './commands/keys.ts'
export type { CommandName } from './commands/keys.ts'
export type { BrokerAddress, StreamMetadata } from './commands/metadata.ts'
export type { PublishingIds } from './commands/publish-confirm.ts'
export {
  FILTER_VALUE_LENGTH_BYTES, NO_FILTER_VALUE, PUBLISH_ENTRY_OVERHEAD_BYTES, PUBLISH_FRAME_OVERHEAD_BYTES,
  PUBLISHING_ID_BYTES, SUB_ENTRY_OVERHEAD_BYTES, writeSubEntryHeader
} from './commands/publish.ts'
export type { PublishVersion } from './commands/publish.ts'
export { Chunk, ChunkType, parseChunk } from './chunk.ts'
export { CONNECT_FAULTS } from './connect-fault.ts'
export type { ConnectFault } from './connect-fault.ts'
export { EntryCursor } from './entry-cursor.ts'
export { compressionNames, expandSubBatch } from './compression.ts'
export {
  AuthenticationError,
  ChunkError,
  CompressionError,
  ConnectionClosedError,
  MalformedFrameError,
  ProtocolError,
  RequestTimeoutError,
  ResponseError,
  UnsupportedBrokerError
} from './errors.ts'
export { canCompress, compress } from './compression/compress.ts'
export type { Compression } from './compression/compress.ts'
export type { SubBatchRecords } from './compression.ts'
export { Expander } from './expander.ts'
export type { SubBatch } from './expander.ts'
export type { ClosedBy, CompressionErrorReason } from './errors.ts'
export { describeResponseCode, ResponseCode } from './response-codes.ts'
export type { ResponseCodeName } from './response-codes.ts'
