import type { Test } from 'tap'
import type { Gateway } from './gateway.ts'

/** Samples as often as can be. */
export const FAST = { LAG_INTERVAL_SECONDS: '2' }

/** The values of a metric by its labels, as they are written. */
export async function series (gateway: Gateway, name: string): Promise<Map<string, number>> {
  const { text } = await gateway.get('/metrics')
  const lines = text.matchAll(new RegExp(`^rabbitmq_stream_gateway_${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))
  return new Map([...lines].map(([, labels = '', value]) => [labels, Number(value)]))
}

/** The value of a metric with these labels, as they are written; undefined: there is none. */
export async function valueOf (gateway: Gateway, name: string, labels = ''): Promise<number | undefined> {
  return (await series(gateway, name)).get(labels)
}

/** A stream with messages. */
export async function streamWith (t: Test, gateway: Gateway, count: number): Promise<string> {
  const stream = await gateway.newStream(t)
  if (count > 0) await gateway.publish(stream, ...Array.from({ length: count }, (_, n) => n))
  return stream
}

/** Stores the offset of a consumer. */
export async function commit (gateway: Gateway, stream: string, consumer: string, offset: number): Promise<void> {
  const path = `/v1/streams/${stream}/consumers/${consumer}/offset`
  const { status, text } = await gateway.request('PUT', path, { json: { offset } })
  if (status !== 200) throw new Error(text)
}
