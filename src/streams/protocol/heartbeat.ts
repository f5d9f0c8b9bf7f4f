/** The bytes that went over the wire so far. */
export interface Traffic {
  readonly bytesRead: number
  readonly bytesWritten: number
}

// The peer is gone after two intervals without a byte from it. A tick is half an interval.
const MAX_SILENT_TICKS = 4

/**
 * Sends a heartbeat when nothing else was sent, and notices when nothing arrives.
 *
 * It counts ticks instead of comparing times. After this process was held up, elapsed time would accuse the peer of
 * silence; a late tick counts as one tick, and what arrived in between is read before the next one.
 */
export class Heartbeat {
  readonly #traffic: Traffic
  readonly #timer: NodeJS.Timeout
  readonly #send: () => void
  readonly #onDead: () => void
  #bytesRead: number
  #bytesWritten: number
  #silentTicks = 0

  constructor (intervalMs: number, traffic: Traffic, send: () => void, onDead: () => void) {
    this.#traffic = traffic
    this.#send = send
    this.#onDead = onDead
    this.#bytesRead = traffic.bytesRead
    this.#bytesWritten = traffic.bytesWritten
    this.#timer = setInterval(() => { this.#tick() }, intervalMs / 2)
  }

  stop (): void {
    clearInterval(this.#timer)
  }

  #tick (): void {
    const { bytesRead, bytesWritten } = this.#traffic
    this.#silentTicks = bytesRead === this.#bytesRead ? this.#silentTicks + 1 : 0
    this.#bytesRead = bytesRead
    if (this.#silentTicks >= MAX_SILENT_TICKS) {
      this.#onDead()
      return
    }
    if (bytesWritten === this.#bytesWritten) this.#send()
    this.#bytesWritten = this.#traffic.bytesWritten
  }
}
