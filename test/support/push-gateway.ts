import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { startGateway, type Gateway } from './gateway.ts'
import { manage } from './super-streams.ts'

const SLOTS = 16

/** With which secrets of subscriptions are sealed. */
export const PUSH_ENCRYPTION_KEY = 'p2k9bnEF4v5GQbQ2cP7K3m8xVd1sT6yW0uJzRhLaIeo='

/** Settings of gateways that deliver to endpoints of this machine. */
export const PUSH_SETTINGS = {
  PUSH_ENABLED: 'true',
  PUSH_ENCRYPTION_KEY,
  PUSH_ALLOW_HTTP: 'true',
  PUSH_ALLOWED_NETWORKS: '127.0.0.0/8'
}

/**
 * Settings of gateways that deliver to endpoints of this machine and share their subscriptions with nothing but each
 * other. The streams behind them are deleted with the test: call it before the gateways are started.
 */
export function pushSettings (t: { teardown: (end: () => unknown) => unknown }): Record<string, string> {
  const prefix = `push-${randomUUID()}`
  t.teardown(async () => { await deleteStreams(prefix) })
  return { ...PUSH_SETTINGS, PUSH_STREAM_PREFIX: prefix }
}

/** A gateway in this process that delivers to endpoints of this machine. */
export async function startPushGateway (t: Test, env: Record<string, string> = {}): Promise<Gateway> {
  return await startGateway(t, { ...pushSettings(t), ...env })
}

async function deleteStreams (prefix: string): Promise<void> {
  const partitions = Array.from({ length: SLOTS }, (_, slot) => `${prefix}.slots-${slot}`)
  const streams = [...partitions, `${prefix}.definitions`, `${prefix}.status`]
  await Promise.all(streams.map(async (stream) => await manage('DELETE', `queues/%2f/${stream}`).catch(() => {})))
  await manage('DELETE', `exchanges/%2f/${prefix}.slots`).catch(() => {})
}
