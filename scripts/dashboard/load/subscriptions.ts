import { startReceiver } from '../../../test/support/push-receiver.ts'
import type { Cleanup } from '../cleanup.ts'
import type { Callers } from '../client.ts'
import type { Clock } from '../clock.ts'

/** Subscriptions that deliver, whose endpoint is away for a while, refuses some messages, and wants nothing. */
export async function subscribe ({ shop }: Callers, clock: Clock, cleanup: Cleanup): Promise<void> {
  const put = async (stream: string, name: string, port: { url: string }, more: object): Promise<void> => {
    await shop.must('PUT', `/v1/streams/${stream}/subscriptions/${name}`, { url: port.url, consumer: name, ...more })
  }
  const [mailer, warehouse, ledger, partner] = await Promise.all([
    startReceiver(cleanup), startReceiver(cleanup), startReceiver(cleanup), startReceiver(cleanup)
  ])
  mailer.react({ status: 204, delayMs: 15 })
  await put('orders', 'mailer', mailer, { batch: { maxMessages: 20 } })
  warehouse.react(() => clock.part > 0.3 && clock.part < 0.55 ? 503 : { status: 204, delayMs: 30 })
  await put('shipping', 'warehouse', warehouse, { retry: { initialDelayMs: 1000, maxDelayMs: 4000 } })
  let count = 0
  ledger.react(() => count++ % 40 === 39 ? 422 : { status: 204, delayMs: 10 })
  await put('payments', 'ledger', ledger, { retry: { messageAttempts: 1 } })
  partner.react(() => clock.part > 0.5 ? 410 : 204)
  await put('orders', 'partner', partner, { batch: { maxMessages: 50 } })
}
