import type { Answer, Gateway, RequestOptions } from './gateway.ts'
import { list, record } from './schema-values.ts'

export const ONE = { 'content-type': 'application/cloudevents+json' }
export const BATCH = { 'content-type': 'application/cloudevents-batch+json' }

/** An event with what every event has, and more. */
export function event (more: Record<string, unknown> = {}): Record<string, unknown> {
  return { specversion: '1.0', id: 'e-1', source: '/shops/7', type: 'com.example.order', ...more }
}

/** Publishes one event, or an array of them. */
export async function postEvents (
  gateway: Gateway, stream: string, json: unknown, query = '', headers: Record<string, string> = {}
): Promise<Answer> {
  const type = Array.isArray(json) ? BATCH : ONE
  const options: RequestOptions = { json, headers: { ...type, ...headers } }
  return await gateway.request('POST', `/v1/streams/${stream}/events${query}`, options)
}

/** The events of a read. */
export async function readEvents (gateway: Gateway, stream: string, query = ''): Promise<unknown[]> {
  const answer = await gateway.get(`/v1/streams/${stream}/events${query}`)
  if (answer.status !== 200) throw new Error(`the read answered ${answer.status}: ${answer.text}`)
  return list(answer.json)
}

/** The messages that a stream has, as the API of messages shows them. */
export async function readMessages (gateway: Gateway, stream: string): Promise<Array<Record<string, unknown>>> {
  const { json } = await gateway.get(`/v1/streams/${stream}/messages?limit=1000`)
  return list(record(json)['messages']).map(record)
}
