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
  publishSuperStreamLines: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishEvents: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  publishSuperStreamEvents: { event: 'publish', isFrequent: true, hasChanged: mayHavePublished },
  putSubscription: { event: 'subscription.changed', isFrequent: false, hasChanged: did },
  patchSubscription: { event: 'subscription.changed', isFrequent: false, hasChanged: did },
  deleteSubscription: { event: 'subscription.deleted', isFrequent: false, hasChanged: did },
  pauseSubscription: { event: 'subscription.paused', isFrequent: false, hasChanged: did },
  resumeSubscription: { event: 'subscription.resumed', isFrequent: false, hasChanged: did },
  resetSubscription: { event: 'subscription.reset', isFrequent: false, hasChanged: did },
  skipMessage: { event: 'subscription.skipped', isFrequent: false, hasChanged: did },
  testSubscription: { event: 'subscription.tested', isFrequent: false, hasChanged: did },
  rotateSecret: { event: 'subscription.secret_replaced', isFrequent: false, hasChanged: did },
  startRedrive: { event: 'subscription.redriven', isFrequent: false, hasChanged: did },
  cancelRedrive: { event: 'subscription.redrive_cancelled', isFrequent: false, hasChanged: did },
  putSuperStreamSubscription: { event: 'subscription.changed', isFrequent: false, hasChanged: did },
  patchSuperStreamSubscription: { event: 'subscription.changed', isFrequent: false, hasChanged: did },
  deleteSuperStreamSubscription: { event: 'subscription.deleted', isFrequent: false, hasChanged: did },
  pauseSuperStreamSubscription: { event: 'subscription.paused', isFrequent: false, hasChanged: did },
  resumeSuperStreamSubscription: { event: 'subscription.resumed', isFrequent: false, hasChanged: did },
  resetSuperStreamSubscription: { event: 'subscription.reset', isFrequent: false, hasChanged: did },
  skipSuperStreamMessage: { event: 'subscription.skipped', isFrequent: false, hasChanged: did },
  testSuperStreamSubscription: { event: 'subscription.tested', isFrequent: false, hasChanged: did },
  rotateSuperStreamSecret: { event: 'subscription.secret_replaced', isFrequent: false, hasChanged: did },
  startSuperStreamRedrive: { event: 'subscription.redriven', isFrequent: false, hasChanged: did },
  cancelSuperStreamRedrive: { event: 'subscription.redrive_cancelled', isFrequent: false, hasChanged: did }
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
