import type { ChangeName, Ending } from './events.ts'

/** How an operation is audited. */
export interface Audited {
  readonly event: ChangeName
  /** Whether it is so frequent that only `AUDIT_LOG=all` has it. */
  readonly isFrequent: boolean
  /** Whether something may have changed when the request ended like this. */
  readonly hasChanged: (ending: Ending) => boolean
}

/** The operations that change something, by their operationId. A test holds that none is missing. */
export const AUDITED_OPERATIONS: Readonly<Record<string, Audited>> = {
  createStream: { event: 'stream.created', isFrequent: false, hasChanged: hasCreated },
  deleteStream: { event: 'stream.deleted', isFrequent: false, hasChanged: did },
  createSuperStream: { event: 'super_stream.created', isFrequent: false, hasChanged: hasCreated },
  deleteSuperStream: { event: 'super_stream.deleted', isFrequent: false, hasChanged: did },
  resetOffset: { event: 'offset.reset', isFrequent: false, hasChanged: did },
  storeOffset: { event: 'offset.stored', isFrequent: true, hasChanged: did },
  resetSuperStreamOffsets: { event: 'offset.reset', isFrequent: false, hasChanged: did },
  storeSuperStreamOffsets: { event: 'offset.stored', isFrequent: true, hasChanged: did },
  readSuperStreamAsConsumer: { event: 'offset.stored', isFrequent: true, hasChanged: did },
  readAsConsumer: { event: 'offset.stored', isFrequent: true, hasChanged: did },
  publishMessages: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishRaw: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishLines: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishSuperStreamMessages: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishSuperStreamRaw: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishSuperStreamLines: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished }
}

// 200: it was there already.
function hasCreated (ending: Ending): boolean {
  return ending !== 200 && did(ending)
}

// A fault may come after the change.
function did (ending: Ending): boolean {
  return ending === 'client gone' || ending < 400 || ending >= 500
}

// The messages before a bad line are published. A refusal has its own line.
function mayHavePublished (ending: Ending): boolean {
  return ending !== 401 && ending !== 403 && ending !== 429
}
