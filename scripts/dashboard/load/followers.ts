import type { Callers, Client } from '../client.ts'
import type { Clock } from '../clock.ts'

const SSE = 'text/event-stream'
const NDJSON = 'application/x-ndjson'

/** Live readers that come and go, one of which is slowed down by a quota, and two workers of which one is active. */
export async function follow ({ shop, reader, archive }: Callers, clock: Clock): Promise<void> {
  const active = '/v1/streams/shipping/consumers/packing/messages?follow=true&singleActive=true&autoCommit=true'
  await Promise.all([
    stay(reader, clock, '/v1/streams/orders/messages?offset=next', SSE, 0.05, 1),
    stay(reader, clock, '/v1/streams/orders/messages?offset=next', SSE, 0.15, 0.8),
    stay(reader, clock, '/v1/streams/clicks/messages?offset=next', SSE, 0.25, 1),
    stay(reader, clock, '/v1/streams/payments/messages?offset=first&follow=true', NDJSON, 0.1, 0.9),
    stay(shop, clock, active, NDJSON, 0, 1),
    stay(shop, clock, active, NDJSON, 0.2, 0.7),
    stay(archive, clock, '/v1/streams/clicks/messages?offset=next', SSE, 0.5, 0.8)
  ])
}

async function stay (
  client: Client, clock: Clock, path: string, accept: string, from: number, to: number
): Promise<void> {
  await clock.until(from)
  const end = client.follow(path, accept)
  await clock.until(to).finally(end)
}
