import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'

/** A request to an endpoint. */
export interface PushRequest {
  readonly path: string
  /** Request line and headers. */
  readonly head: string
  readonly body: Buffer
  /** Answers 204. */
  answer (): void
}

const HEAD_END = '\r\n\r\n'
const ANSWER = Buffer.from('HTTP/1.1 204 No Content\r\n\r\n')
const NOTHING = Buffer.alloc(0)

/**
 * Listens as an endpoint of push subscriptions. It costs a fraction of what an HTTP server for general use costs, so
 * that the receiver is not what is measured. It takes one request at a time of each connection, with a content length.
 */
export async function listenForPushes (port: number, received: (request: PushRequest) => void): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => { serve(socket, received) })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

/** A header, whose name is given in lower case, as the gateway writes it; NaN when there is none. */
export function numberOf ({ head }: PushRequest, name: string): number {
  const start = head.indexOf(`\r\n${name}: `)
  if (start === -1) return NaN
  const from = start + name.length + 4
  const end = head.indexOf('\r\n', from)
  return Number(end === -1 ? head.slice(from) : head.slice(from, end))
}

function serve (socket: Socket, received: (request: PushRequest) => void): void {
  let partial: Buffer = NOTHING
  const answer = (): void => { if (socket.writable) socket.write(ANSWER) }
  // A gateway that was killed leaves its connections so.
  socket.on('error', () => {})
  socket.on('data', (bytes) => {
    const all = partial.length === 0 ? bytes : Buffer.concat([partial, bytes])
    const headEnd = all.indexOf(HEAD_END)
    partial = all
    if (headEnd === -1) return
    const head = all.toString('latin1', 0, headEnd)
    const bodyStart = headEnd + HEAD_END.length
    const bodyBytes = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? NaN)
    if (Number.isNaN(bodyBytes)) throw new Error(`a request without a length: ${head}`)
    if (all.length < bodyStart + bodyBytes) return
    partial = NOTHING
    const [, path = ''] = head.split(' ', 2)
    received({ path, head, body: all.subarray(bodyStart), answer })
  })
}
