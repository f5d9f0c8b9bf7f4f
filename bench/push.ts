import { randomBytes, randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import type { BenchGateway } from './gateway.ts'

/** Gateways that share subscriptions with each other and with nothing else. */
export interface PushFleet {
  /** Starts one more. */
  gateway: () => Promise<BenchGateway>
}

const TRIES = 600
const EVERY_MS = 50
const AT_A_TIME = 16

/** Gateways that deliver to endpoints of this machine. */
export function pushFleet (bench: Bench): PushFleet {
  const env = {
    PUSH_ENABLED: 'true',
    PUSH_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    PUSH_ALLOW_HTTP: 'true',
    PUSH_ALLOWED_NETWORKS: '127.0.0.0/8',
    PUSH_STREAM_PREFIX: `bench-push-${randomUUID()}`
  }
  return { gateway: async () => await bench.gateway(env) }
}

/** Creates a subscription that begins at the first message, and gives up nothing. */
export async function subscribe (
  gateway: BenchGateway, stream: string, url: string, definition: object = {}
): Promise<void> {
  const response = await fetch(`${gateway.url}/v1/streams/${stream}/subscriptions/bench`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    // Without an error stream, which would be created. Between rounds the endpoint takes its time.
    body: JSON.stringify({ url, start: 'first', onFailure: 'drop', timeoutMs: 60_000, ...definition })
  })
  if (!response.ok) throw new Error(await response.text())
  await response.arrayBuffer()
}

/** Does something for all of them, some at a time. */
export async function forEach<Item> (items: readonly Item[], act: (item: Item) => Promise<void>): Promise<void> {
  const rest = items.values()
  await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
    for (const item of rest) await act(item)
  }))
}

/** The streams whose subscriptions a gateway delivers, by its metrics. */
export async function deliveredBy (gateway: BenchGateway): Promise<ReadonlySet<string>> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text()
  return new Set(Array.from(text.matchAll(/_push_subscription_state\{stream="([^"]+)"/g), ([, stream = '']) => stream))
}

/** Settles with what `look` returns at last. @throws when that takes half a minute */
export async function eventually<Result> (what: string, look: () => Promise<Result | undefined>): Promise<Result> {
  for (let tries = 0; tries < TRIES; tries++) {
    const found = await look()
    if (found !== undefined) return found
    await sleep(EVERY_MS)
  }
  throw new Error(`${what}: not in time`)
}
