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
  // 200: the stream was there already.
  createStream: { event: 'stream.created', isFrequent: false, hasChanged: (ending) => ending !== 200 && did(ending) },
  deleteStream: { event: 'stream.deleted', isFrequent: false, hasChanged: did },
  resetOffset: { event: 'offset.reset', isFrequent: false, hasChanged: did },
  storeOffset: { event: 'offset.stored', isFrequent: true, hasChanged: did },
  readAsConsumer: { event: 'offset.stored', isFrequent: true, hasChanged: did },
  publishMessages: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishRaw: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishLines: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished }
}

// A fault may come after the change.
function did (ending: Ending): boolean {
  return ending === 'client gone' || ending < 400 || ending >= 500
}

// The messages before a bad line are published. A refusal has its own line.
function mayHavePublished (ending: Ending): boolean {
  return ending !== 401 && ending !== 403 && ending !== 429
}
