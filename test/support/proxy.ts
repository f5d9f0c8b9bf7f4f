import { EventEmitter, once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'

/** Where a proxy forwards to. */
export interface ProxyTarget {
  host: string
  port: number
}

/**
 * A TCP proxy between the gateway and a broker that makes the faults of a network: silence, resets, refusals, delay, a trickle.
 * It listens on a free port of 127.0.0.1 until `close`. With several targets each connection goes to the next one, as behind a load balancer.
 */
export class FaultProxy {
  readonly host = '127.0.0.1'
  readonly port: number
  #targets: readonly ProxyTarget[]
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #line = new Line().setMaxListeners(0)
  #isAccepting = true
  #accepted = 0

  private constructor (server: Server, port: number, targets: readonly ProxyTarget[]) {
    this.#server = server
    this.port = port
    this.#targets = targets
    server.on('connection', client => this.#open(client))
  }

  /** Starts a proxy; it is ready when this settles. */
  static async listen (...targets: ProxyTarget[]): Promise<FaultProxy> {
    const server = createServer({ noDelay: true, allowHalfOpen: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('a TCP server has a port')
    return new FaultProxy(server, address.port, targets)
  }

  /** Connections open at the moment. */
  get connectionCount (): number {
    return this.#pairs.size
  }

  /** A black hole: nothing is forwarded any more, in neither direction; connections stay open, new ones are made and stay silent. */
  pause (): void {
    this.#line.isPaused = true
  }

  /** Forwards again, first what has come in meanwhile: nothing was lost. */
  resume (): void {
    this.#line.isPaused = false
  }

  /** Delays everything from now on by so much, in each direction; 0 ends it. */
  setLatency (latencyMs: number): void {
    this.#line.latencyMs = latencyMs
  }

  /** Connections made so far. */
  get acceptedCount (): number {
    return this.#accepted
  }

  /** The bytes that the target has sent over the last connection. */
  get lastReceivedBytes (): number {
    return this.#line.lastReceivedBytes
  }

  /** New connections go there. */
  forwardTo (...targets: ProxyTarget[]): void {
    this.#targets = targets
  }

  /** Every byte by itself: what comes from the target, or what goes there too, or nothing any more. */
  setTrickle (trickling: Line['trickling']): void {
    this.#line.trickling = trickling
  }

  /** Every so many bytes, on average, one from the target is another; undefined: none. */
  garble (oneOf: number | undefined): void {
    this.#line.garbledOneOf = oneOf
  }

  /** What becomes of a connection when its target has sent so many bytes: silence or a reset in the middle of whatever it was. */
  cutAfter (bytes: number, how: Cut['how']): void {
    this.#line.cut = { bytes, how }
  }

  /** No connection is cut any more, those that are cut excepted. */
  cutNothing (): void {
    this.#line.cut = undefined
  }

  /** The targets are gone without a word: open connections stay open and silent for ever, what is sent over them is lost. New ones are fine. */
  vanish (): void {
    for (const pair of this.#pairs) pair.vanish()
  }

  /** Breaks every connection by a reset (RST), on both sides. */
  killConnections (): void {
    for (const pair of this.#pairs) pair.reset()
  }

  /** New connections are reset as soon as they are made; open ones stay. */
  refuse (): void {
    this.#isAccepting = false
  }

  /** New connections are forwarded again. */
  accept (): void {
    this.#isAccepting = true
  }

  /** Ends the proxy and all its connections; closing twice is fine. */
  async close (): Promise<void> {
    this.#isAccepting = false
    this.killConnections()
    if (!this.#server.listening) return
    this.#server.close()
    await once(this.#server, 'close')
  }

  #open (client: Socket): void {
    if (!this.#isAccepting) {
      client.resetAndDestroy()
      return
    }
    const target = this.#targets[this.#accepted % this.#targets.length]
    if (target === undefined) throw new Error('a proxy needs a target')
    this.#accepted++
    const pair = new Pair(client, target, this.#line)
    this.#pairs.add(pair)
    pair.ended.addEventListener('abort', () => this.#pairs.delete(pair), { once: true })
  }
}

interface Cut { bytes: number, how: 'silence' | 'reset' }

/** The state that all connections of a proxy share. */
class Line extends EventEmitter {
  latencyMs = 0
  trickling: 'nothing' | 'received' | 'both' = 'nothing'
  cut: Cut | undefined
  garbledOneOf: number | undefined
  lastReceivedBytes = 0
  #isPaused = false

  get isPaused (): boolean {
    return this.#isPaused
  }

  set isPaused (isPaused: boolean) {
    this.#isPaused = isPaused
    if (!isPaused) this.emit('resume')
  }

  /** Settles when the line is not paused; rejects when the connection ends before. */
  async whenOpen (ended: AbortSignal): Promise<void> {
    while (this.#isPaused) await once(this, 'resume', { signal: ended })
  }
}

/** A connection of the gateway, and the one to the target that belongs to it. */
class Pair {
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #end = new AbortController()
  #isSilent = false
  #receivedBytes = 0

  constructor (client: Socket, target: ProxyTarget, line: Line) {
    this.#client = client
    this.#upstream = connect({ ...target, noDelay: true, allowHalfOpen: true })
    for (const socket of [this.#client, this.#upstream]) {
      // A reset of one side is a reset of the other.
      socket.once('error', () => { if (!this.#isSilent) this.reset() })
      socket.once('close', () => { if (this.#client.destroyed && this.#upstream.destroyed) this.#end.abort() })
    }
    this.#client.once('end', () => { if (this.#isSilent) this.reset() })
    this.#forward(this.#client, this.#upstream, line)
    this.#forward(this.#upstream, this.#client, line, (data) => garbled(this.#cut(data, line), line.garbledOneOf))
  }

  /** Aborted when both connections are closed. */
  get ended (): AbortSignal {
    return this.#end.signal
  }

  vanish (): void {
    this.#isSilent = true
    this.#upstream.destroy()
  }

  reset (): void {
    this.#end.abort()
    for (const socket of [this.#client, this.#upstream]) {
      // Node loses a socket that is reset while it is being ended.
      if (socket.writableEnded) socket.destroy()
      else socket.resetAndDestroy()
    }
  }

  // What may pass of what the target has sent.
  #cut (data: Buffer, line: Line): Buffer {
    const room = Math.max(0, (line.cut?.bytes ?? Infinity) - this.#receivedBytes)
    this.#receivedBytes += data.length
    line.lastReceivedBytes = this.#receivedBytes
    if (data.length <= room) return data
    this.#isSilent = true
    if (this.#client.readableEnded) this.reset() // the gateway has given up before
    else if (line.cut?.how === 'reset') setTimeout(() => { this.reset() }, 5) // when the client has read that
    return data.subarray(0, room)
  }

  #forward (from: Socket, to: Socket, line: Line, pass: (data: Buffer) => Buffer = (data) => data): void {
    const signal = this.#end.signal
    // Each piece waits for the one before it, so the order holds, but its delay runs from its own arrival: latency does not cost throughput.
    let previous = Promise.resolve()
    let pendingBytes = 0
    const enqueue = (size: number, write: () => void | Promise<void>) => {
      const dueAt = Date.now() + line.latencyMs
      pendingBytes += size
      if (pendingBytes > maxPendingBytes) from.pause()
      previous = previous.then(async () => {
        const wait = dueAt - Date.now()
        if (wait > 0) await delay(wait, undefined, { signal })
        await line.whenOpen(signal)
        if (!this.#isSilent) await write()
        if (to.writableNeedDrain) await once(to, 'drain', { signal })
        pendingBytes -= size
        if (pendingBytes <= maxPendingBytes) from.resume()
      }).catch(() => { /* The connection has ended: what was on its way is lost, as on a network. */ })
    }
    const write = async (data: Buffer): Promise<void> => {
      if (line.trickling === 'nothing' || (line.trickling === 'received' && from === this.#client)) {
        to.write(data)
        return
      }
      for (let at = 0; at < data.length && !signal.aborted; at++) {
        to.write(data.subarray(at, at + 1))
        await nextTurn()
      }
    }
    from.on('data', (chunk: Buffer) => enqueue(chunk.length, async () => { await write(pass(chunk)) }))
    from.once('end', () => enqueue(0, () => { to.end() }))
  }
}

function garbled (data: Buffer, oneOf: number | undefined): Buffer {
  if (oneOf === undefined) return data
  return Buffer.from(data.map((byte) => Math.random() * oneOf < 1 ? Math.floor(Math.random() * 256) : byte))
}

/** How much a direction holds before the sender feels it, as the buffers of a network would. */
const maxPendingBytes = 1024 * 1024
