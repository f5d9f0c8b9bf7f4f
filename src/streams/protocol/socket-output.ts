import type { Socket } from 'node:net'

/** How long the last bytes may take to leave after `end`. */
const LINGER_MS = 2_000

/** The writing half of a socket: gathers the writes of one turn of the event loop, and ends once they have left. */
export class SocketOutput {
  readonly #socket: Socket
  #isCorked = false

  constructor (socket: Socket) {
    this.#socket = socket
  }

  // The requests of one turn of the event loop share one write. setImmediate runs after all sockets of the turn were
  // read, and runs at once in an idle loop, so a single request does not wait.
  write (bytes: Uint8Array): void {
    if (!this.#isCorked) {
      this.#isCorked = true
      this.#socket.cork()
      setImmediate(() => {
        this.#isCorked = false
        this.#socket.uncork()
      })
    }
    this.#socket.write(bytes)
  }

  // Written bytes may still leave, but only for a limited time: a peer that reads nothing must not keep the socket.
  end (): void {
    if (this.#socket.destroyed) return
    this.#socket.destroySoon()
    const timer = setTimeout(() => { this.#socket.destroy() }, LINGER_MS)
    this.#socket.once('close', () => { clearTimeout(timer) })
  }

  /** Resolves when the socket is closed. */
  async closed (): Promise<void> {
    if (this.#socket.closed) return
    await new Promise<void>((resolve) => { this.#socket.once('close', () => { resolve() }) })
  }
}
