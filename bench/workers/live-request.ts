import { requestBytes } from './http-connection.ts'

/** Follows a stream as server-sent events. */
export function followRequest (stream: string, offset: 'first' | 'next'): Buffer {
  return requestBytes('GET', `/v1/streams/${stream}/messages?offset=${offset}`, { accept: 'text/event-stream' })
}
