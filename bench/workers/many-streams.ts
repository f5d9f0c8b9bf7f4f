import { HttpConnection, requestBytes } from './http-connection.ts'
import { work } from './worker.ts'

/** Streams `prefix-0`, `prefix-1` and so on. */
export interface ManyStreamsConfig {
  readonly port: number
  readonly prefix: string
  readonly streams: number
  readonly connections: number
}

/*
 * A round visits every stream once, however long that takes. On each it publishes one message and, after the confirm,
 * makes one poll, which has to find a message.
 */
await work<ManyStreamsConfig>(async ({ port, prefix, streams, connections: count }) => {
  const connections: HttpConnection[] = []
  for (let opened = 0; opened < count; opened++) connections.push(await HttpConnection.open(port))
  return async () => {
    const startedMs = performance.now()
    const latenciesMs: number[] = []
    let next = 0
    await Promise.all(connections.map(async (connection) => {
      while (next < streams) {
        const path = `/v1/streams/${prefix}-${next++}/messages`
        const sentMs = performance.now()
        const confirm = await connection.request(
          requestBytes('POST', `${path}/raw`, { 'content-type': 'text/plain' }, 'hello')
        )
        const poll = await connection.request(requestBytes('GET', `${path}/lines?offset=first`))
        if (confirm.status !== 200 || poll.status !== 200 || poll.bodyBytes === 0) {
          throw new Error(`${confirm.head}\n${confirm.text}\n${poll.head}\n${poll.text}`)
        }
        latenciesMs.push(performance.now() - sentMs)
      }
    }))
    return { count: streams, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
  }
})
