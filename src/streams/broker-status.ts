import { classify } from './classify.ts'
import { within } from './common/wait.ts'
import type { ConnectionPool } from './connections/connection-pool.ts'
import type { StreamsError } from './errors.ts'

export interface BrokerStatus {
  state: 'up' | 'down'
  /** Why it is down; safe to show. */
  reason: string | null
  /** RabbitMQ's. */
  version: string | null
}

const STATUS_TIMEOUT_MS = 2000

/** Whether the broker answers now; connects if need be. Never throws, and takes at most two seconds. */
export async function askStatus (connections: ConnectionPool): Promise<BrokerStatus> {
  try {
    return await within(ask(connections), { timeoutMs: STATUS_TIMEOUT_MS }) ?? down(connections.lastFailure('streams'))
  } catch (error) {
    return down(classify(error))
  }
}

// A broker that refuses the credentials takes its time before it says so: the reason it gave last time is known.
function down (failure: StreamsError | undefined): BrokerStatus {
  return { state: 'down', reason: failure?.message ?? 'the broker does not answer', version: null }
}

// An open connection proves little: its peer may be frozen, or the network gone.
async function ask (connections: ConnectionPool): Promise<BrokerStatus> {
  const connection = await connections.connection('streams')
  await connection.metadata([])
  return { state: 'up', reason: null, version: connection.brokerVersion }
}
