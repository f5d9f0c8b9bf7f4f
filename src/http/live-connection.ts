import type { FastifyReply } from 'fastify'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Quota } from '../access/quotas/quota.ts'

/** Learns what happens to the connection. */
export interface LiveConnectionListener {
  /** It was full and has room again. */
  drained: () => void
  closed: () => void
}

/**
 * The connection of a live answer. It is written to without the layers of `ServerResponse`: these take three writes for
 * each chunk, and a live answer has its chunks with their frames.
 */
export class LiveConnection {
  readonly isChunked: boolean
  readonly #response: ServerResponse
  readonly #socket: Socket
  readonly #quota: Quota | undefined
  #waiting: (() => void) | undefined
  readonly #isClosing: () => boolean
  readonly #timeoutMs: number

  readonly #sendTimeoutMs: number

  private constructor (reply: FastifyReply, socket: Socket, sendTimeoutMs: number) {
    this.#response = reply.raw
    this.#socket = socket
    this.isChunked = reply.raw.chunkedEncoding
    this.#quota = reply.request.quota
    this.#isClosing = () => reply.server.isDraining()
    this.#timeoutMs = reply.server.server.timeout
    this.#sendTimeoutMs = sendTimeoutMs
  }

  /**
   * Sends the head of the answer, with what is written in the same turn of the event loop in the same packet. A request
   * that waits behind another one on its connection is answered in its turn.
   *
   * @param sendTimeoutMs how long the last words may take to leave
   * @param signal aborts when the client leaves, which an answer that waits for its turn does not notice by itself
   * @throws the signal's reason
   */
  static async open (
    reply: FastifyReply, headers: Record<string, string>, sendTimeoutMs: number, signal: AbortSignal
  ): Promise<LiveConnection> {
    const { raw: response } = reply
    if (response.socket === null) await itsTurn(response, signal)
    reply.hijack()
    const socket = response.socket ?? reply.request.raw.socket
    // It ends what does not drain, and a client need not send anything.
    socket.setTimeout(0)
    socket.cork()
    const all = { ...reply.getHeaders(), ...reply.server.quotaHeaders(reply.request), ...headers }
    for (const [name, value] of Object.entries(all)) if (value !== undefined) response.setHeader(name, value)
    response.flushHeaders()
    reply.request.onLive?.()
    setImmediate(() => { socket.uncork() })
    return new LiveConnection(reply, socket, sendTimeoutMs)
  }

  listen (listener: LiveConnectionListener): void {
    this.#socket.on('drain', listener.drained)
    this.#response.once('close', () => {
      this.#socket.removeListener('drain', listener.drained)
      if (this.#waiting !== undefined) this.#quota?.readers.leave(this.#waiting)
      listener.closed()
    })
  }

  get pendingBytes (): number {
    return this.#socket.writableLength
  }

  /** Whether the caller has read more than its quota. Then `paid` is called once, when to ask again. */
  hasToWait (paid: () => void): boolean {
    if (this.#quota === undefined || this.#response.closed) return false
    this.#waiting = paid
    return this.#quota.readers.join(paid)
  }

  /** False when it is full. */
  write (buffers: readonly Buffer[]): boolean {
    const socket = this.#socket
    const [first] = buffers
    let hasRoom = true
    if (buffers.length === 1 && first !== undefined) {
      hasRoom = socket.write(first)
      this.#charge(first.length)
      return hasRoom
    }
    socket.cork()
    for (const buffer of buffers) {
      hasRoom = socket.write(buffer)
      this.#charge(buffer.length)
    }
    socket.uncork()
    return hasRoom
  }

  #charge (bytes: number): void {
    this.#quota?.chargeRead(bytes, performance.now())
  }

  end (): void {
    const socket = this.#socket
    socket.setTimeout(this.#timeoutMs)
    const cut = setTimeout(() => { socket.destroy() }, this.#sendTimeoutMs)
    this.#response.once('close', () => { clearTimeout(cut) })
    this.#response.end(() => {
      if (this.#isClosing()) socket.end()
    })
  }

  destroy (): void {
    this.#socket.destroy()
  }
}

async function itsTurn (response: ServerResponse, signal: AbortSignal): Promise<void> {
  try {
    await once(response, 'socket', { signal })
  } catch (error) {
    signal.throwIfAborted()
    throw error
  }
}
