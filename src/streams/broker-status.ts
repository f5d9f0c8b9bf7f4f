import { classify } from './classify.ts'
import type { ConnectionPool } from './connections/connection-pool.ts'
import { pause } from './deadline.ts'

export interface BrokerStatus {
  state: 'up' | 'down'
  /** Why it is down; safe to show. */
  reason: string | null
  /** RabbitMQ's. */
  version: string | null
}

const STATUS_TIMEOUT_MS = 2000
const NO_ANSWER: BrokerStatus = { state: 'down', reason: 'the broker does not answer', version: null }

/** Whether the broker answers, asked now, and connected to if need be. Never throws; takes at most two seconds. */
export async function askStatus (connections: ConnectionPool): Promise<BrokerStatus> {
  const waiting = new AbortController()
  try {
    return await Promise.race([ask(connections), pause(STATUS_TIMEOUT_MS, waiting.signal).then(() => NO_ANSWER)])
  } catch (error) {
    return { state: 'down', reason: classify(error).message, version: null }
  } finally {
    waiting.abort()
  }
}

// An open connection proves little: its peer may be frozen, or the network gone.
async function ask (connections: ConnectionPool): Promise<BrokerStatus> {
  const connection = await connections.connection('streams')
  await connection.metadata([])
  return { state: 'up', reason: null, version: connection.brokerVersion }
}
