import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type ConnectionOptions } from 'node:tls'
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

/** Opens a bare connection to a port of this machine, with TLS given its options. It is closed with the test. */
export async function openRaw (t: Test, port: number, tls?: ConnectionOptions): Promise<RawConnection> {
  const socket = tls === undefined ? connect(port, '127.0.0.1') : connectTls({ port, host: '127.0.0.1', ...tls })
  t.teardown(() => { socket.destroy() })
  await once(socket, tls === undefined ? 'connect' : 'secureConnect')
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

/** Sends bytes on a connection of their own. Settles with all that came back until the other side closed it. */
export async function askRaw (port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  socket.on('error', () => {})
  socket.setTimeout(20_000, () => { socket.destroy(new Error('the connection was not closed')) })
  socket.write(bytes)
  await once(socket, 'close')
  return Buffer.concat(chunks).toString('latin1')
}

/** The statuses of the answers in what `askRaw` settles with, in order. */
export function statusesOf (answers: string): number[] {
  return [...answers.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
}
