import { request } from 'undici'
import { GatewayProcess } from './gateway-process.ts'
import { until } from './until.ts'
import type { Target } from './workload/index.ts'

/** Settings with which a gateway lets go of what it does not use after a second or two. */
export const QUICKLY_IDLE = {
  PUBLISHER_IDLE_MS: '1000',
  READER_IDLE_MS: '1000',
  RABBITMQ_CONNECTION_IDLE_MS: '1000'
} as const

const GAUGES = [
  'connections', 'publishers', 'readers', 'active_consumer_members', 'publish_budget_used_bytes',
  'read_budget_used_bytes', 'http_bodies_held_bytes'
]
/** A test may still hold one connection to the gateway, or have just closed it. */
const SPARE_FILES = 1

/**
 * Waits until an unused gateway holds nothing: no connection to the broker, publisher or reader, and no byte of its
 * budgets. A gateway in a process of its own may also hold no file descriptor more than when it began to listen.
 */
export async function untilNothingIsLeft (target: Target, timeoutMs = 15_000): Promise<void> {
  let left: Record<string, number> = {}
  try {
    await until('nothing is left', async () => {
      left = { ...await gaugesOf(target), ...moreFilesOf(target) }
      return Object.values(left).every((count) => count === 0)
    }, timeoutMs)
  } catch (error) {
    throw new Error(`something is left over: ${JSON.stringify(left)}`, { cause: error })
  }
}

function moreFilesOf (target: Target): Record<string, number> {
  if (!(target instanceof GatewayProcess)) return {}
  return { moreOpenFiles: Math.max(0, target.openFiles - target.openFilesAtStart - SPARE_FILES) }
}

async function gaugesOf ({ url }: Target): Promise<Record<string, number>> {
  // A connection of its own, closed with the answer: a connection that stays open would count among the files.
  const response = await request(`${url}/metrics`, { reset: true })
  const text = await response.body.text()
  return Object.fromEntries(GAUGES.map((name) => {
    const value = new RegExp(`^rabbitmq_stream_gateway_${name} (\\S+)$`, 'm').exec(text)?.[1]
    return [name, Number(value)]
  }))
}
