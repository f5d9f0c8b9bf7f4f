import { Lease, type ByteBudget } from '../../streams/index.ts'
import type { PushMessage } from './push-message.ts'

/** How much one request may carry. */
export interface Amount { readonly maxMessages: number, readonly maxBytes: number }

/** Messages that are copied and not taken yet, and the memory that they are charged with. */
export class MessageQueue {
  readonly #lease: Lease
  #messages: PushMessage[] = []
  #head = 0
  // What each piece is charged with, until its last message is taken.
  #charges: Array<{ readonly lastOffset: number, readonly bytes: number }> = []

  constructor (memory: ByteBudget) {
    this.#lease = Lease.of(memory)
  }

  get count (): number {
    return this.#messages.length - this.#head
  }

  get heldBytes (): number {
    return this.#lease.bytes
  }

  get firstOffset (): number | undefined {
    return this.#messages[this.#head]?.offset
  }

  /** Holds memory for messages, if there is room. @param must also when there is none */
  hold (bytes: number, must: boolean): boolean {
    if (this.#lease.tryGrow(bytes)) return true
    if (must) this.#lease.resize(this.#lease.bytes + bytes)
    return must
  }

  /** Adds messages, for which these bytes are held. */
  append (messages: readonly PushMessage[], bytes: number): void {
    const last = messages.at(-1)
    if (last === undefined) return this.#lease.resize(this.#lease.bytes - bytes)
    this.#messages = [...this.#messages.slice(this.#head), ...messages]
    this.#head = 0
    this.#charges.push({ lastOffset: last.lastOffset, bytes })
  }

  /** The first messages, as many as fit, at least one when there is one. */
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

  /** Everything up to and including the offset is taken. Returns how many messages that were. */
  taken (offset: number): number {
    let head = this.#head
    while ((this.#messages[head]?.lastOffset ?? Infinity) <= offset) head++
    const count = head - this.#head
    this.#head = head
    if (this.count === 0) this.clear()
    else this.#uncharge(offset)
    return count
  }

  clear (): void {
    this.#messages = []
    this.#head = 0
    this.#charges = []
    this.#lease.resize(0)
  }

  /** Holds nothing from now on. */
  end (): void {
    this.clear()
    this.#lease.end()
  }

  #uncharge (offset: number): void {
    let bytes = 0
    while ((this.#charges[0]?.lastOffset ?? Infinity) <= offset) bytes += this.#charges.shift()?.bytes ?? 0
    if (bytes > 0) this.#lease.resize(this.#lease.bytes - bytes)
  }
}
