import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { work, type Sample } from './worker.ts'

/** One client that follows a full stream from its beginning, as NDJSON, again and again. */
export interface LiveCatchUpConfig {
  readonly port: number
  readonly stream: string
  /** How many messages the stream has. */
  readonly messages: number
}

const LINE_FEED = 0x0a
// An answer begins with its state.
const STATE_LINES = 1

await work<LiveCatchUpConfig>(async ({ port, stream, messages }) => {
  const path = `/v1/streams/${stream}/messages?follow=true&offset=0`
  return async (seconds): Promise<Sample> => {
    const startedMs = performance.now()
    const endMs = startedMs + seconds * 1000
    let count = 0
    while (performance.now() < endMs) count += await follow(port, path, messages, endMs)
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }
})

/** How many messages have come, of all that there are, until the time is over. */
async function follow (port: number, path: string, messages: number, endMs: number): Promise<number> {
  const asked = request({ host: '127.0.0.1', port, path, agent: new Agent({ keepAlive: false }) })
  asked.end()
  const [response]: IncomingMessage[] = await once(asked, 'response')
  if (response?.statusCode !== 200) throw new Error(`a live read was answered with ${response?.statusCode}`)
  let lines = 0
  response.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines++
    if (lines >= messages + STATE_LINES || performance.now() > endMs) response.destroy()
  })
  response.on('error', () => {}) // it was cut
  await once(response, 'close')
  return Math.max(0, lines - STATE_LINES)
}
