import { createServer } from 'node:http'
import type { Socket } from 'node:net'
import { work } from './worker.ts'

/** Where it listens, and what it writes. */
export interface BareLiveConfig {
  readonly port: number
  readonly bodyBytes: number
  readonly messages: number
  /** Every so often each socket gets a heartbeat. */
  readonly heartbeatMs?: number
}

const HEARTBEAT = 'id: 1234567\nevent: state\n' +
  'data: {"nextOffset":1234567,"lastOffset":1234566,"lag":0,"endOfStream":true}\n\n'
// Not all at once.
const STEPS = 15

/*
 * What writing alone costs: a bare server of Node.js that writes one prepared buffer to all its sockets, each time it
 * is asked to, and as heartbeats. It reads nothing, encodes nothing and keeps no positions.
 */
await work<BareLiveConfig>(async ({ port, bodyBytes, messages, heartbeatMs }) => {
  const event = 'id: 1234567\ndata: {"offset":1234566,"timestamp":"2026-01-31T12:00:00.000Z",' +
    `"body":"${'x'.repeat(bodyBytes)}","bodyEncoding":"text","properties":{"contentType":null}}\n\n`
  const text = event.repeat(messages)
  const prepared = chunkOf(text)
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    if (request.method === 'POST') {
      request.resume()
      request.on('end', () => {
        response.end('{}')
        setImmediate(() => { for (const socket of sockets) socket.write(prepared) })
      })
      return
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('event: state\ndata: {}\n\n')
    const { socket } = request
    socket.setTimeout(0)
    sockets.add(socket)
    socket.on('close', () => { sockets.delete(socket) })
  })
  if (heartbeatMs !== undefined) beat(sockets, heartbeatMs)
  await new Promise<void>((resolve) => { server.listen(port, '127.0.0.1', 4096, resolve) })
  return async (seconds) => ({ count: 0, seconds, latenciesMs: [] })
})

function chunkOf (text: string): Buffer {
  return Buffer.from(`${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`)
}

function beat (sockets: ReadonlySet<Socket>, heartbeatMs: number): void {
  const heartbeat = chunkOf(HEARTBEAT)
  let step = 0
  setInterval(() => {
    step = (step + 1) % STEPS
    let index = 0
    for (const socket of sockets) if (index++ % STEPS === step) socket.write(heartbeat)
  }, heartbeatMs / STEPS)
}
