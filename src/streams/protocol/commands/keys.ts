/** The 15 bits that name a command; the highest bit of the 16 marks a response. */
export const CommandKey = {
  declarePublisher: 1,
  publish: 2,
  publishConfirm: 3,
  publishError: 4,
  queryPublisherSequence: 5,
  deletePublisher: 6,
  subscribe: 7,
  deliver: 8,
  credit: 9,
  storeOffset: 10,
  queryOffset: 11,
  unsubscribe: 12,
  createStream: 13,
  deleteStream: 14,
  metadata: 15,
  metadataUpdate: 16,
  peerProperties: 17,
  saslHandshake: 18,
  saslAuthenticate: 19,
  tune: 20,
  open: 21,
  close: 22,
  heartbeat: 23,
  route: 24,
  partitions: 25,
  consumerUpdate: 26,
  exchangeCommandVersions: 27,
  streamStats: 28,
  createSuperStream: 29,
  deleteSuperStream: 30,
  resolveOffsetSpec: 31
} as const

export type CommandName = keyof typeof CommandKey

export const RESPONSE_BIT = 0x8000

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(CommandKey).map(([name, key]) => [key, name]))

/** The command's name, for messages that people read. */
export function describeCommand (key: number): string {
  return NAMES.get(key) ?? `command ${key}`
}

/** The highest version of a command that is understood here; the lowest is 1. */
export function maxVersion (key: number): number {
  return key === CommandKey.deliver ? 2 : 1
}
