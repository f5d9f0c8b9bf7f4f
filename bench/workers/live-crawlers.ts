import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { followRequest } from './live-request.ts'
import { work, type Sample } from './worker.ts'

/** Connections that follow one stream from its beginning, and take what they get a little at a time. */
export interface LiveCrawlersConfig {
  readonly port: number
  readonly stream: string
  readonly connections: number
  /** Each of them. */
  readonly bytesPerSecond: number
}

const STEP_MS = 100

/** A round takes what its time allows. Between rounds nothing is taken. */
await work<LiveCrawlersConfig>(async ({ port, stream, connections, bytesPerSecond }) => {
  const sockets: Socket[] = []
  for (let opened = 0; opened < connections; opened++) {
    const socket = connect({ host: '127.0.0.1', port })
    socket.on('close', () => { throw new Error('the gateway closed the connection of a reader that crawls') })
    await once(socket, 'connect')
    socket.write(followRequest(stream, 'first'))
    await once(socket, 'readable')
    sockets.push(socket)
  }
  const step = bytesPerSecond * STEP_MS / 1000
  return async (seconds): Promise<Sample> => {
    const startedMs = performance.now()
    let count = 0
    while (performance.now() < startedMs + seconds * 1000) {
      await sleep(STEP_MS)
      for (const socket of sockets) {
        const bytes: Buffer | null = socket.read(step) ?? socket.read()
        count += bytes?.length ?? 0
      }
    }
    return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
  }
})
