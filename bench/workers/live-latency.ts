import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpConnection, requestBytes } from './http-connection.ts'
import { followRequest } from './live-request.ts'
import { work, type Sample } from './worker.ts'

/**
 * Connections that follow one stream. A message carries the time at which it was due to be published, and each arrival
 * is a latency.
 */
export interface LiveLatencyConfig {
  readonly port: number
  readonly stream: string
  readonly connections: number
  readonly bodyBytes: number
  /** Where it is published, and how often; undefined: another worker publishes. */
  readonly publish?: { readonly port: number, readonly everyMs: number }
}

const TIME = /"body":"(\d+\.\d+)x/g
// What is on its way when a round ends.
const LAST_MS = 1500

await work<LiveLatencyConfig>(async ({ port, stream, connections, bodyBytes, publish }) => {
  let latenciesMs: number[] = []
  for (let opened = 0; opened < connections; opened++) {
    const socket = connect({ host: '127.0.0.1', port })
    await once(socket, 'connect')
    socket.setEncoding('latin1')
    let rest = ''
    socket.on('data', (text: string) => {
      const nowMs = now()
      const events = (rest + text).split('\n\n')
      rest = events.pop() ?? ''
      for (const event of events) {
        for (const [, sentMs] of event.matchAll(TIME)) latenciesMs.push(nowMs - Number(sentMs))
      }
    })
    socket.write(followRequest(stream, 'next'))
  }
  return async (seconds): Promise<Sample> => {
    latenciesMs = []
    const startedMs = performance.now()
    const published = publish === undefined ? 0 : await publishEvery(publish, stream, bodyBytes, seconds)
    await sleep(Math.max(0, startedMs + seconds * 1000 + LAST_MS - performance.now()))
    return { count: published, seconds, latenciesMs }
  }
})

/** Does not wait for answers: what is late does not delay the next one. */
async function publishEvery (
  { port, everyMs }: { port: number, everyMs: number }, stream: string, bodyBytes: number, seconds: number
): Promise<number> {
  const publisher = await HttpConnection.open(port)
  const startMs = now()
  let published = 0
  for (let dueMs = startMs; dueMs < startMs + seconds * 1000; dueMs += everyMs) {
    if (dueMs > now()) await sleep(dueMs - now())
    const text = `${dueMs.toFixed(3)}x`.padEnd(bodyBytes, 'x')
    const body = JSON.stringify({ messages: [{ body: text, bodyEncoding: 'text' }] })
    const headers = { 'content-type': 'application/json' }
    publisher.send(requestBytes('POST', `/v1/streams/${stream}/messages`, headers, body), ({ status }) => {
      if (status !== 200) throw new Error(`a publish was answered with ${status}`)
    })
    published++
  }
  await sleep(LAST_MS)
  publisher.close()
  return published
}

// The same in all processes of this machine.
function now (): number {
  return performance.timeOrigin + performance.now()
}
