import { classify } from './classify.ts'
import { within } from './common/wait.ts'
import { ConnectError, type ConnectFault } from './connections/connect-error.ts'
import type { ConnectionPool } from './connections/connection-pool.ts'
import type { StreamsError } from './errors.ts'

/**
 * Why the broker is down. `connecting`: an attempt has not ended yet, and none before it has failed. `no_answer`: a
 * connection is open, but a request on it got no answer. `other`: see the reason.
 */
export type BrokerFault = ConnectFault | 'connecting' | 'no_answer' | 'other'

export interface BrokerStatus {
  state: 'up' | 'down'
  /** Why it is down; safe to show. */
  reason: string | null
  /** The same for programs; null when it is up. */
  fault: BrokerFault | null
  /** RabbitMQ's. */
  version: string | null
}

const STATUS_TIMEOUT_MS = 2000

/** Whether the broker answers now; connects if need be. Never throws, and takes at most two seconds. */
export async function askStatus (connections: ConnectionPool): Promise<BrokerStatus> {
  try {
    return await within(ask(connections), { timeoutMs: STATUS_TIMEOUT_MS }) ?? unanswered(connections)
  } catch (error) {
    return failed(classify(error))
  }
}

// A broker that refuses the credentials takes three seconds before it says so. The reason it gave last time is known.
function unanswered (connections: ConnectionPool): BrokerStatus {
  const failure = connections.lastFailure('streams')
  if (failure !== undefined) return failed(failure)
  return connections.isOpening('streams')
    ? down('connecting', 'the gateway is still connecting to the broker')
    : down('no_answer', 'the broker does not answer')
}

function failed (failure: StreamsError): BrokerStatus {
  const fault = failure.code === 'broker_timeout' ? 'no_answer' : 'other'
  return down(failure instanceof ConnectError ? failure.fault : fault, failure.message)
}

function down (fault: BrokerFault, reason: string): BrokerStatus {
  return { state: 'down', reason, fault, version: null }
}

// An open connection proves little: its peer may be frozen, or the network gone.
async function ask (connections: ConnectionPool): Promise<BrokerStatus> {
  const version = await connections.ask('streams', undefined, async (connection) => {
    await connection.metadata([])
    return connection.brokerVersion
  })
  return { state: 'up', reason: null, fault: null, version }
}
