import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitFor } from '../../scripts/setup/process.mjs'
import { HttpConnection, requestBytes, type Answer } from './http-connection.ts'
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
  /** How often a message is published. */
  readonly everyMs: number
  /** Where; undefined: another worker publishes. */
  readonly publishPort?: number
}

const TIME = /"body":"(\d+\.\d+)x/g
// How long the last arrivals may take.
const LAST = { timeoutMs: 30_000, everyMs: 50 }

await work<LiveLatencyConfig>(async (config) => {
  const { port, stream, connections, everyMs } = config
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
    await once(socket, 'data')
  }
  return async (seconds): Promise<Sample> => {
    const messages = Math.floor(seconds * 1000 / everyMs)
    await publish(config, messages)
    const arrivals = messages * connections
    const hasAll = await waitFor(async () => latenciesMs.length >= arrivals, LAST)
    if (hasAll !== true) throw new Error(`of ${arrivals} messages ${latenciesMs.length} have come`)
    const sample = { count: messages, seconds, latenciesMs }
    latenciesMs = []
    return sample
  }
})

/** Does not wait for answers: what is late does not delay the next one. */
async function publish ({ publishPort, stream, bodyBytes, everyMs }: LiveLatencyConfig, count: number): Promise<void> {
  if (publishPort === undefined) return
  const publisher = await HttpConnection.open(publishPort)
  const startMs = now()
  const answers: Array<Promise<Answer>> = []
  for (let published = 0; published < count; published++) {
    const dueMs = startMs + published * everyMs
    if (dueMs > now()) await sleep(dueMs - now())
    const text = `${dueMs.toFixed(3)}x`.padEnd(bodyBytes, 'x')
    const body = JSON.stringify({ messages: [{ body: text, bodyEncoding: 'text' }] })
    const headers = { 'content-type': 'application/json' }
    answers.push(publisher.request(requestBytes('POST', `/v1/streams/${stream}/messages`, headers, body)))
  }
  for (const { status, text } of await Promise.all(answers)) {
    if (status !== 200) throw new Error(`a publish was answered with ${text}`)
  }
  publisher.close()
}

// The same in all processes of this machine.
function now (): number {
  return performance.timeOrigin + performance.now()
}
