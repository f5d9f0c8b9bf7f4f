import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { HttpConnection, requestBytes } from './http-connection.ts'
import { followRequest } from './live-request.ts'
import { work, type Sample } from './worker.ts'

/** Connections that follow one stream, and one client that publishes. */
export interface LiveConfig {
  /** Where the stream is followed. */
  readonly port: number
  /** Where it is published. */
  readonly publishPort: number
  readonly stream: string
  readonly connections: number
  readonly bodyBytes: number
  /** In one publish. */
  readonly messages: number
}

const LINE_FEED = 0x0a
// Events end with an empty line. The head of the answer has none of these: its lines end with CR LF.
const EVENT_END = '\n\n'

class Follower {
  events = 0
  #wasLineFeed = false
  #wanted = Infinity
  #arrived: () => void = () => {}

  private constructor (socket: Socket) {
    socket.on('data', (chunk) => { this.#count(chunk) })
  }

  static async open ({ port, stream }: LiveConfig): Promise<Follower> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    const follower = new Follower(socket)
    const opened = follower.until(1)
    socket.write(followRequest(stream, 'next'))
    await opened
    return follower
  }

  /** Settles when this number of events has come. */
  async until (events: number): Promise<void> {
    if (this.events >= events) return
    this.#wanted = events
    await new Promise<void>((resolve) => { this.#arrived = resolve })
  }

  #count (chunk: Buffer): void {
    if (this.#wasLineFeed && chunk[0] === LINE_FEED) this.events++
    for (let at = chunk.indexOf(EVENT_END); at >= 0; at = chunk.indexOf(EVENT_END, at + 2)) this.events++
    this.#wasLineFeed = chunk[chunk.length - 1] === LINE_FEED && chunk[chunk.length - 2] !== LINE_FEED
    if (this.events < this.#wanted) return
    this.#wanted = Infinity
    this.#arrived()
  }
}

/*
 * A round publishes again and again: the next one comes when each connection has got the last one. A latency is the
 * time until the last of them has it.
 */
await work<LiveConfig>(async (config) => {
  const { publishPort, stream, connections, bodyBytes, messages } = config
  const followers: Follower[] = []
  for (let opened = 0; opened < connections; opened++) followers.push(await Follower.open(config))
  const body = JSON.stringify({
    messages: Array.from({ length: messages }, () => ({ body: 'x'.repeat(bodyBytes), bodyEncoding: 'text' }))
  })
  const publish = requestBytes(
    'POST', `/v1/streams/${stream}/messages`, { 'content-type': 'application/json' }, body
  )
  return async (seconds): Promise<Sample> => {
    // The gateway closes connections on which nothing is asked for long.
    const publisher = await HttpConnection.open(publishPort)
    const send = async (): Promise<void> => {
      const { status, text } = await publisher.request(publish)
      if (status !== 200) throw new Error(`a publish was answered with ${text}`)
    }
    const startedMs = performance.now()
    const latenciesMs: number[] = []
    let published = 0
    while (performance.now() < startedMs + seconds * 1000) {
      const sentMs = performance.now()
      published += messages
      const arrivals = followers.map(async (follower) => { await follower.until(follower.events + messages) })
      await Promise.all([send(), ...arrivals])
      latenciesMs.push(performance.now() - sentMs)
    }
    publisher.close()
    return { count: published * connections, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
  }
})
