import type { Socket } from 'node:net'

/** How long the last bytes may take to leave once nothing more is expected. */
const LINGER_MS = 2_000

/** The writing half of a socket: gathers what one turn of the event loop writes, and lets it leave before the end. */
export class SocketOutput {
  readonly #socket: Socket
  #isCorked = false

  constructor (socket: Socket) {
    this.#socket = socket
  }

  // Requests of one turn of the event loop share one write: setImmediate runs after all that the turn's sockets had to
  // say, and an idle loop runs it at once, so that a lone request does not wait.
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

  // Lets what is written leave, but not for ever: a peer that reads nothing must not keep the socket.
  end (): void {
    if (this.#socket.destroyed) return
    this.#socket.destroySoon()
    const timer = setTimeout(() => { this.#socket.destroy() }, LINGER_MS)
    this.#socket.once('close', () => { clearTimeout(timer) })
  }

  async closed (): Promise<void> {
    if (this.#socket.closed) return
    await new Promise<void>((resolve) => { this.#socket.once('close', () => { resolve() }) })
  }
}
