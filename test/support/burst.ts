import { connect, type Socket } from 'node:net'

/**
 * What a burst is made of: connections that all send the same request at the same moment. It runs as a program of its
 * own, so that the client's work is not measured as the gateway's: `burst.ts '{"port":8080,...}'` prints a
 * `BurstResult`.
 */
export interface Burst {
  port: number
  connections: number
  /** Request line and headers, with the empty line after them. */
  head: string
  /** What is sent as the body, `repeat` times. */
  piece: string
  repeat: number
  /** The end of the body. */
  tail: string
  /** How long a client leaves its answer lying before it reads on, ms. */
  readPauseMs: number
}

export interface BurstResult {
  /** How many answers had each status. */
  statuses: Record<string, number>
  /** From the last byte that the gateway had been given to the first byte of a 503, ms, ascending. */
  refusalMs: number[]
  /** How many answers with 503 had no Retry-After. */
  withoutRetryAfter: number
  /** The bytes of the answers, with their headers. */
  receivedBytes: number
  durationMs: number
}

interface Exchange {
  status: string
  refusalMs: number
  hasRetryAfter: boolean
  receivedBytes: number
}

/** One request on a connection of its own. Settles when the whole answer is there, or the connection ends. */
async function exchange (socket: Socket, burst: Burst): Promise<Exchange> {
  return await new Promise((resolve) => {
    let lastByteMs = performance.now()
    let answerMs = 0
    let head = ''
    let receivedBytes = 0
    let expectedBytes = Infinity
    let sent = 0
    const done = (): void => {
      socket.destroy()
      resolve({
        receivedBytes,
        status: /^HTTP\/1\.1 (\d+)/.exec(head)?.[1] ?? 'none',
        refusalMs: answerMs - lastByteMs,
        hasRetryAfter: /^retry-after: /im.test(head)
      })
    }
    const sendNext = (): void => {
      if (answerMs > 0) return
      lastByteMs = performance.now()
      if (sent < burst.repeat) socket.write(burst.piece, sendNext)
      else if (sent === burst.repeat && burst.tail !== '') socket.write(burst.tail, sendNext)
      sent++
    }
    socket.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length
      if (answerMs === 0) {
        answerMs = performance.now()
        head = chunk.toString('latin1')
        const end = head.indexOf('\r\n\r\n') + 4
        head = head.slice(0, end)
        expectedBytes = end + Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0)
        if (burst.readPauseMs > 0 && receivedBytes < expectedBytes) {
          socket.pause()
          setTimeout(() => { socket.resume() }, burst.readPauseMs)
        }
      }
      if (receivedBytes >= expectedBytes) done()
    })
    socket.on('error', () => {})
    socket.on('close', done)
    socket.write(burst.head, sendNext)
  })
}

/** A first exchange on a connection. */
async function greet (socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once('data', () => { resolve() })
    socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n')
  })
}

async function open (port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => { resolve(socket) }).once('error', reject)
  })
}

async function run (burst: Burst): Promise<BurstResult> {
  const sockets = await Promise.all(Array.from({ length: burst.connections }, async () => await open(burst.port)))
  // Before each was served once, some of them wait to be accepted.
  await Promise.all(sockets.map(greet))
  const startMs = performance.now()
  const answers = await Promise.all(sockets.map(async (socket) => await exchange(socket, burst)))
  const statuses: Record<string, number> = {}
  for (const { status } of answers) statuses[status] = (statuses[status] ?? 0) + 1
  const refused = answers.filter(({ status }) => status === '503')
  return {
    statuses,
    refusalMs: refused.map(({ refusalMs }) => Math.round(refusalMs * 10) / 10).sort((a, b) => a - b),
    withoutRetryAfter: refused.filter(({ hasRetryAfter }) => !hasRetryAfter).length,
    receivedBytes: answers.reduce((bytes, answer) => bytes + answer.receivedBytes, 0),
    durationMs: Math.round(performance.now() - startMs)
  }
}

const [, , burst = ''] = process.argv
process.stdout.write(JSON.stringify(await run(JSON.parse(burst))))
