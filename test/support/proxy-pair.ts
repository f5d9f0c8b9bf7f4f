import { EventEmitter, once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'

/** How much a direction holds before the sender feels it, as the buffers of a network would. */
const MAX_PENDING_BYTES = 1024 * 1024

/** Where a proxy forwards to. */
export interface ProxyTarget {
  host: string
  port: number
}

export interface Cut {
  bytes: number
  how: 'silence' | 'reset'
}

/** The state that all connections of a proxy share. */
export class Line extends EventEmitter {
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
export class Pair {
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

  /** Whether the client has not ended its side. */
  get isHeld (): boolean {
    return !this.#client.readableEnded && !this.#client.destroyed
  }

  vanish (): void {
    this.#isSilent = true
    this.#upstream.destroy()
  }

  reset (): void {
    this.#end.abort()
    for (const socket of [this.#client, this.#upstream]) {
      // Node loses track of a socket that is reset while it is being ended.
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
    // Each piece waits for the piece before it, so the order holds. Its delay runs from its own arrival, so latency
    // does not cost throughput.
    let previous = Promise.resolve()
    let pendingBytes = 0
    const enqueue = (size: number, write: () => void | Promise<void>) => {
      const dueAt = Date.now() + line.latencyMs
      pendingBytes += size
      if (pendingBytes > MAX_PENDING_BYTES) from.pause()
      previous = previous.then(async () => {
        const wait = dueAt - Date.now()
        if (wait > 0) await delay(wait, undefined, { signal })
        await line.whenOpen(signal)
        if (!this.#isSilent) await write()
        if (to.writableNeedDrain) await once(to, 'drain', { signal })
        pendingBytes -= size
        if (pendingBytes <= MAX_PENDING_BYTES) from.resume()
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
