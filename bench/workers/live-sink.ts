import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { followRequest } from './live-request.ts'
import { work, type Sample } from './worker.ts'

/** Connections that follow one stream and look at nothing that they get. */
export interface LiveSinkConfig {
  readonly port: number
  readonly stream: string
  readonly connections: number
}

const READ_BUFFER_BYTES = 64 * 1024

await work<LiveSinkConfig>(async ({ port, stream, connections }) => {
  const buffer = Buffer.allocUnsafe(READ_BUFFER_BYTES)
  let reads = 0
  for (let opened = 0; opened < connections; opened++) {
    let begun = (): void => {}
    const hasBegun = new Promise<void>((resolve) => { begun = resolve })
    const socket = connect({
      host: '127.0.0.1',
      port,
      onread: {
        buffer,
        callback () {
          reads++
          begun()
          return true
        }
      }
    })
    await once(socket, 'connect')
    socket.write(followRequest(stream, 'next'))
    await hasBegun
  }
  return async (seconds): Promise<Sample> => {
    const before = reads
    await sleep(seconds * 1000)
    return { count: reads - before, seconds, latenciesMs: [] }
  }
})
