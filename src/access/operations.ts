import type { Verb } from './verb.ts'

/**
 * What a caller needs for an operation:
 * - `open`: nothing, not even a credential
 * - `documents`: what `DOCS_ACCESS` says
 * - `known`: a valid credential
 * - `monitor`: that verb
 * - `stream`: on the stream of the path each verb of `all`, or one verb of `any`, and the right to the consumer or the
 *   publisher that the request names. For a super stream: on it and, which its handler sees to, on each partition. For
 *   a subscription: its handler sees to the right to its consumer, and to the rights on its error stream
 */
export type Requirement =
  | { readonly type: 'open' | 'documents' | 'known' | 'monitor' }
  | { readonly type: 'stream', readonly all: readonly Verb[], readonly names?: 'consumer' | 'publisher' }
  | { readonly type: 'stream', readonly any: readonly Verb[] }

const OPEN = { type: 'open' } as const
const CONFIGURE = { type: 'stream', all: ['configure'] } as const
const WRITE = { type: 'stream', all: ['write'], names: 'publisher' } as const
const READ = { type: 'stream', all: ['read'] } as const
const CONSUME = { type: 'stream', all: ['read'], names: 'consumer' } as const
const RESET = { type: 'stream', all: ['read', 'reset'], names: 'consumer' } as const

/**
 * What each operation needs, by its operationId. This table makes the check of a request, the `security` of the OpenAPI
 * document and the tests of every combination. The gateway does not start with a route that is missing here.
 */
export const OPERATIONS: Readonly<Record<string, Requirement>> = {
  describeGateway: OPEN,
  getLiveness: OPEN,
  getReadiness: OPEN,
  describeProblem: OPEN,
  whoami: { type: 'known' },
  getMetrics: { type: 'monitor' },

  // It shows the streams that the caller may read or write.
  listStreams: { type: 'known' },
  createStream: CONFIGURE,
  deleteStream: CONFIGURE,
  describeStream: { type: 'stream', any: ['read', 'write'] },
  getStreamHistory: { type: 'stream', any: ['read', 'write'] },

  // It shows the super streams that the caller may read or write.
  listSuperStreams: { type: 'known' },
  createSuperStream: CONFIGURE,
  deleteSuperStream: CONFIGURE,
  describeSuperStream: { type: 'stream', any: ['read', 'write'] },

  publishMessages: WRITE,
  publishRaw: WRITE,
  publishLines: WRITE,
  publishEvents: WRITE,
  publishSuperStreamMessages: WRITE,
  publishSuperStreamRaw: WRITE,
  publishSuperStreamLines: WRITE,
  publishSuperStreamEvents: WRITE,

  readMessages: READ,
  readLines: READ,
  readMessage: READ,
  readRaw: READ,
  readEvents: READ,
  readSuperStream: READ,
  readSuperStreamLines: READ,
  readSuperStreamEvents: READ,
  listSuperStreamConsumers: READ,
  getSuperStreamOffsets: READ,
  storeSuperStreamOffsets: CONSUME,
  readSuperStreamAsConsumer: CONSUME,
  resetSuperStreamOffsets: RESET,

  listConsumers: READ,
  getStoredOffset: READ,
  storeOffset: CONSUME,
  // Also without a commit: the first read may store where the consumer begins.
  readAsConsumer: CONSUME,
  resetOffset: RESET,

  listPublishers: READ,
  describePublisher: READ,

  // It shows those of the streams that the caller may read.
  listAllSubscriptions: { type: 'known' },
  listSubscriptions: READ,
  putSubscription: CONSUME,
  getSubscription: READ,
  patchSubscription: CONSUME,
  deleteSubscription: CONSUME,
  pauseSubscription: CONSUME,
  resumeSubscription: CONSUME,
  resetSubscription: RESET,
  skipMessage: RESET,
  testSubscription: CONSUME,
  rotateSecret: CONSUME,
  startRedrive: CONSUME,
  listRedrives: READ,
  getRedrive: READ,
  cancelRedrive: CONSUME,
  listSuperStreamSubscriptions: READ,
  putSuperStreamSubscription: CONSUME,
  getSuperStreamSubscription: READ,
  patchSuperStreamSubscription: CONSUME,
  deleteSuperStreamSubscription: CONSUME,
  pauseSuperStreamSubscription: CONSUME,
  resumeSuperStreamSubscription: CONSUME,
  resetSuperStreamSubscription: RESET,
  skipSuperStreamMessage: RESET,
  testSuperStreamSubscription: CONSUME,
  rotateSuperStreamSecret: CONSUME,
  startSuperStreamRedrive: CONSUME,
  listSuperStreamRedrives: READ,
  getSuperStreamRedrive: READ,
  cancelSuperStreamRedrive: CONSUME
}
