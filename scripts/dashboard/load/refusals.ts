import type { Callers } from '../client.ts'
import type { Clock } from '../clock.ts'

/** Requests that are refused: without a valid key, without the right to it, too many of them, and wrong ones. */
export async function refuse ({ reader, crawler, stranger }: Callers, clock: Clock): Promise<void> {
  await Promise.all([
    clock.every(600, async () => await stranger.send('GET', '/v1/streams'), 0.2, 0.5),
    clock.every(900, async () => await reader.send('DELETE', '/v1/streams/orders'), 0.35, 0.8),
    clock.every(120, async () => await crawler.send('GET', '/v1/streams/orders'), 0.55, 0.9),
    clock.every(1500, async () => await reader.send('GET', '/v1/streams/invoices/messages?offset=first')),
    clock.every(2500, async () => await reader.send('GET', '/v1/streams/orders/messages?offset=latest'))
  ])
}
