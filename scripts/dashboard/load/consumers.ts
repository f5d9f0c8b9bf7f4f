import type { Callers, Client } from '../client.ts'
import type { Clock } from '../clock.ts'

/** Consumers that keep up, fall behind and catch up, and stand still. */
export async function consume ({ shop, reader }: Callers, clock: Clock): Promise<void> {
  await Promise.all([
    poll(shop, clock, 'orders/consumers/billing', { everyMs: 100 }),
    poll(reader, clock, 'orders/consumers/analytics', { everyMs: 1000, limit: () => clock.part < 0.6 ? 22 : 110 }),
    poll(shop, clock, 'payments/consumers/billing', { everyMs: 400 }),
    poll(reader, clock, 'payments/consumers/fraud', { everyMs: 500, to: 0.4 }),
    poll(reader, clock, 'clicks/consumers/analytics', { everyMs: 800 })
  ])
}

interface Pace {
  readonly everyMs: number
  /** How many messages at a time. */
  readonly limit?: () => number
  /** When it stops. */
  readonly to?: number
}

/** A consumer over HTTP. Each request stores the offset of the messages before. */
async function poll (
  client: Client, clock: Clock, consumer: string, { everyMs, limit = () => 1000, to = 1 }: Pace
): Promise<void> {
  let commit = ''
  await clock.every(everyMs, async () => {
    const path = `/v1/streams/${consumer}/messages?limit=${limit()}&wait=1${commit}`
    const { status, json } = await client.send('GET', path)
    // After an error the same is asked again.
    if (status >= 300) return
    commit = typeof json['commitOffset'] === 'number' ? `&commit=${json['commitOffset']}` : ''
  }, 0, to)
}
