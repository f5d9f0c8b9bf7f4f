/** Gauges, and counters since the start. */
export interface BrokerStats {
  connections: number
  publishers: number
  readers: number
  /** Members of groups of single active consumers. */
  activeConsumerMembers: number
  publishBudgetUsedBytes: number
  readBudgetUsedBytes: number
  messagesConfirmed: number
  messagesDuplicate: number
  messagesFailed: number
  messagesUnknown: number
  messagesRead: number
  offsetsStored: number
  connectionsOpened: number
  connectionsLost: number
}
