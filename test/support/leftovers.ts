import { request } from 'undici'
import { until } from './until.ts'
import type { Target } from './workload/index.ts'

/** Settings with which a gateway lets go of what it does not use after a second or two. */
export const QUICKLY_IDLE = { PUBLISHER_IDLE_MS: '1000', READER_IDLE_MS: '1000', RABBITMQ_CONNECTION_IDLE_MS: '1000' } as const

const GAUGES = ['connections', 'publishers', 'readers', 'publish_budget_used_bytes', 'read_budget_used_bytes']

/** Waits until a gateway that nobody uses any more holds nothing: no connection to the broker, publisher or reader, no byte of its budgets. */
export async function untilNothingIsLeft (target: Target, timeoutMs = 15_000): Promise<void> {
  let left: Record<string, number> = {}
  try {
    await until('nothing is left', async () => {
      left = await gaugesOf(target)
      return GAUGES.every((name) => left[name] === 0)
    }, timeoutMs)
  } catch (error) {
    throw new Error(`something is left over: ${JSON.stringify(left)}`, { cause: error })
  }
}

async function gaugesOf ({ url }: Target): Promise<Record<string, number>> {
  const response = await request(`${url}/metrics`)
  const text = await response.body.text()
  return Object.fromEntries(GAUGES.map((name) => [name, Number(new RegExp(`^rabbitmq_stream_gateway_${name} (\\S+)$`, 'm').exec(text)?.[1])]))
}
