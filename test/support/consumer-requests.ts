import type { Answer, Gateway } from './gateway.ts'
import { exactly } from './exactly.ts'

/** What a request with one fault is answered. */
export function badAt (pointer: string): object {
  return { status: 400, code: 'validation_failed', errors: exactly({ pointer }) }
}

/** The requests that a consumer makes. Its name is `my-app` where none is given. */
export function consumerOf (gateway: Gateway) {
  const offsetPath = (stream: string, consumer = 'my-app'): string =>
    `/v1/streams/${stream}/consumers/${consumer}/offset`
  return {
    offsetPath,
    async store (stream: string, json: unknown, consumer?: string): Promise<Answer> {
      return await gateway.request('PUT', offsetPath(stream, consumer), { json })
    },
    async reset (stream: string, to: unknown): Promise<Answer> {
      return await gateway.request('POST', `${offsetPath(stream)}/reset`, { json: { to } })
    },
    async read (stream: string, query = ''): Promise<Answer> {
      return await gateway.get(`/v1/streams/${stream}/consumers/my-app/messages${query}`)
    },
    async offsetOf (stream: string): Promise<unknown> {
      return (await gateway.get(offsetPath(stream))).json
    }
  }
}
