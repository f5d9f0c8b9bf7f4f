import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A bare connection, for what no HTTP client would send. */
export interface RawConnection {
  socket: Socket
  send: (text: string | Buffer) => void
  /** All that came, once the other side has closed. */
  closed: () => Promise<string>
  /** Resolves when the received text matches. */
  received: (pattern: RegExp) => Promise<string>
}

/** Opens a bare connection to a port of this machine; it is closed with the test. */
export async function openRaw (t: Test, port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => { socket.destroy() })
  await once(socket, 'connect')
  let text = ''
  let isClosed = false
  const waiters = new Set<() => void>()
  const wake = (): void => { for (const waiter of [...waiters]) waiter() }
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
    wake()
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
    wake()
  })
  const until = async (isDone: () => boolean): Promise<string> => {
    if (!isDone()) {
      await new Promise<void>((resolve, reject) => {
        const waiter = (): void => {
          if (!isDone() && !isClosed) return
          waiters.delete(waiter)
          if (isDone()) resolve()
          else reject(new Error(`the connection was closed after ${JSON.stringify(text)}`))
        }
        waiters.add(waiter)
      })
    }
    return text
  }
  return {
    socket,
    send: (text) => { socket.write(text) },
    closed: async () => await until(() => isClosed),
    received: async (pattern) => await until(() => pattern.test(text))
  }
}
