import { Lease, type ByteBudget } from '../../streams/index.ts'
import type { PushMessage } from './push-message.ts'

// What a request made of a message takes beside it, as an answer to a read does.
const COST_FACTOR = 2.4
const MESSAGE_BYTES = 200

/** How much one request may carry. */
export interface Amount { readonly maxMessages: number, readonly maxBytes: number }

/** Messages that are copied and not settled, charged to a budget. */
export class MessageQueue {
  readonly #lease: Lease
  #messages: PushMessage[] = []
  // Settled until here.
  #head = 0
  // Handed out until here.
  #handed = 0

  constructor (memory: ByteBudget) {
    this.#lease = Lease.of(memory)
  }

  get size (): number {
    return this.#messages.length - this.#head
  }

  /** Of those, how many are handed out. */
  get handed (): number {
    return this.#handed - this.#head
  }

  get bytes (): number {
    return this.#lease.bytes
  }

  /** The offset of the first message. */
  get offset (): number | undefined {
    return this.#messages[this.#head]?.offset
  }

  /** False when there is no room for so many bytes. */
  mayTake (storedBytes: number, count: number): boolean {
    return this.#lease.tryGrow(Math.ceil(storedBytes * COST_FACTOR) + count * MESSAGE_BYTES)
  }

  /** Takes them in any case. */
  take (storedBytes: number, count: number): void {
    this.#lease.resize(this.#lease.bytes + Math.ceil(storedBytes * COST_FACTOR) + count * MESSAGE_BYTES)
  }

  add (messages: readonly PushMessage[]): void {
    this.#messages = [...this.#messages.slice(this.#head), ...messages]
    this.#handed -= this.#head
    this.#head = 0
  }

  /** The first messages. */
  first ({ maxMessages, maxBytes }: Amount): readonly PushMessage[] {
    const messages = this.#messages
    const start = this.#head
    let end = start
    let bytes = 0
    for (let next = messages[end]; next !== undefined && end - start < maxMessages; next = messages[++end]) {
      bytes += next.bytes.length
      if (bytes > maxBytes && end > start) break
    }
    return messages.slice(start, end)
  }

  /** The first messages of those that are not handed out. */
  hand (most: number): readonly PushMessage[] {
    const handed = this.#messages.slice(this.#handed, this.#handed + most)
    this.#handed += handed.length
    return handed
  }

  /** Everything up to and including the offset is settled. Returns how many messages that were. */
  settle (offset: number): number {
    const before = this.#head
    let bytes = 0
    for (let next = this.#messages[this.#head]; next !== undefined && next.lastOffset <= offset;) {
      bytes += next.bytes.length
      next = this.#messages[++this.#head]
    }
    const count = this.#head - before
    this.#handed = Math.max(this.#handed, this.#head)
    if (this.size === 0) this.clear()
    else this.#lease.resize(Math.max(0, this.#lease.bytes - Math.floor(bytes * COST_FACTOR) - count * MESSAGE_BYTES))
    return count
  }

  clear (): void {
    this.#messages = []
    this.#head = 0
    this.#handed = 0
    this.#lease.resize(0)
  }

  /** It takes nothing more. */
  close (): void {
    this.clear()
    this.#lease.end()
  }
}
