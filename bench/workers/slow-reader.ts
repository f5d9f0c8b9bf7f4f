import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { requestBytes } from './http-connection.ts'
import { work } from './worker.ts'

/** A client that takes its answer a little at a time. */
export interface SlowReaderConfig {
  readonly port: number
  readonly path: string
  readonly bytesPerSecond: number
}

const STEP_MS = 100

await work<SlowReaderConfig>(async ({ port, path, bytesPerSecond }) => async (seconds) => {
  const startedMs = performance.now()
  const socket = connect({ host: '127.0.0.1', port })
  await once(socket, 'connect')
  socket.write(requestBytes('GET', path))
  const step = bytesPerSecond * STEP_MS / 1000
  let count = 0
  while (performance.now() < startedMs + seconds * 1000) {
    await sleep(STEP_MS)
    // A paused socket reads ahead only into its own small buffer. The rest stays in the kernel and in the gateway.
    const bytes: Buffer | null = socket.read(step)
    count += bytes?.length ?? 0
  }
  socket.destroy()
  if (count === 0) throw new Error('the slow reader was not answered')
  return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs: [] }
})
