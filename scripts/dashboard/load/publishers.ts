import type { Callers, Client } from '../client.ts'
import type { Clock } from '../clock.ts'

const LINE = 'x'.repeat(380)

/** Publishes to every stream: at a rate that goes up and down, steadily, with a break, and in bulk. */
export async function publish ({ shop }: Callers, clock: Clock): Promise<void> {
  await Promise.all([
    // Two waves in the whole time.
    publishOrders(shop, clock),
    clock.every(500, async () => { await shop.send('POST', '/v1/streams/payments/messages', batch(12)) }),
    publishShipping(shop, clock, 0, 0.45),
    publishShipping(shop, clock, 0.6, 1),
    clock.every(250, async (turn) => {
      await shop.send('POST', '/v1/streams/clicks/messages/lines', `${turn} ${LINE}\n`.repeat(60))
    })
  ])
}

async function publishOrders (shop: Client, clock: Clock): Promise<void> {
  const path = '/v1/streams/orders/messages?publisher=shop'
  let id = 0
  await clock.every(500, async (turn) => {
    const count = Math.round(20 + 12 * Math.sin(clock.part * 4 * Math.PI))
    const messages = Array.from({ length: count }, () => ({ publishingId: ++id, body: { order: id, total: 19.9 } }))
    await shop.send('POST', path, { messages })
    // As if the answer was lost: the broker knows these messages already.
    if (turn % 12 === 11) await shop.send('POST', path, { messages })
  })
}

async function publishShipping (shop: Client, clock: Clock, from: number, to: number): Promise<void> {
  await clock.every(1000, async () => { await shop.send('POST', '/v1/streams/shipping/messages', batch(8)) }, from, to)
}

function batch (count: number): { messages: Array<{ body: object }> } {
  return { messages: Array.from({ length: count }, (_, index) => ({ body: { item: index, state: 'new' } })) }
}
