import type { Test } from 'tap'
import { EventSource } from 'eventsource'
import { Agent, fetch } from 'undici'
import { fieldOf } from './live-client.ts'
import { until } from './until.ts'

/** An attempt of a follower to connect. */
export interface Attempt {
  readonly lastId: string | undefined
  readonly atMs: number
}

/**
 * An `EventSource` that follows a stream through whatever happens to it, and the ledger of what came: `faults` is empty
 * when every message came once and in order, and nothing is missing but what a gap names.
 */
export class LiveFollower {
  readonly offsets: number[] = []
  readonly gaps: Array<{ from: number, to: number }> = []
  readonly byes: string[] = []
  readonly problems: unknown[] = []
  readonly attempts: Attempt[] = []
  readonly faults: string[] = []
  readonly #source: EventSource
  readonly #dispatcher = new Agent()
  #next: number | undefined

  /** @param url of a stream without any records of the broker's own, of which every offset is a message */
  constructor (t: Test, url: string) {
    this.#source = new EventSource(url, {
      fetch: async (url, { headers, signal }) => {
        this.attempts.push({ lastId: headers['Last-Event-ID'], atMs: performance.now() })
        return await fetch(url, { headers, signal: signal ?? null, dispatcher: this.#dispatcher })
      }
    })
    t.teardown(async () => {
      this.#source.close()
      await this.#dispatcher.destroy()
    })
    this.#source.onmessage = ({ data, lastEventId }) => {
      const offset = Number(fieldOf(JSON.parse(data), 'offset'))
      this.offsets.push(offset)
      this.#expect(offset, `the message ${offset}`)
      this.#moveTo(lastEventId, offset + 1)
    }
    this.#listen('state', (data, id) => {
      this.#expect(Number(fieldOf(data, 'nextOffset')), `a state of ${id}`)
      this.#moveTo(id, Number(fieldOf(data, 'nextOffset')))
    })
    this.#listen('gap', (data, id) => {
      const gap = { from: Number(fieldOf(data, 'from')), to: Number(fieldOf(data, 'to')) }
      this.gaps.push(gap)
      this.#expect(gap.from, `a gap from ${gap.from}`)
      this.#moveTo(id, gap.to + 1)
    })
    this.#listen('bye', (data) => { this.byes.push(String(fieldOf(data, 'reason'))) })
    this.#listen('problem', (data) => { this.problems.push(data) })
  }

  /** Whether it will not come back. */
  get isClosed (): boolean {
    return this.#source.readyState === this.#source.CLOSED
  }

  get isOpen (): boolean {
    return this.#source.readyState === this.#source.OPEN
  }

  async hasMessages (count: number, timeoutMs = 30_000): Promise<void> {
    try {
      await until('the messages', () => this.offsets.length >= count || this.faults.length > 0, timeoutMs)
    } catch (error) {
      const got = { messages: this.offsets.length, byes: this.byes, problems: this.problems, attempts: this.attempts }
      throw new Error(`${count} messages, in vain: ${JSON.stringify(got)}`, { cause: error })
    }
  }

  close (): void {
    this.#source.close()
  }

  #listen (name: string, take: (data: unknown, id: string) => void): void {
    this.#source.addEventListener(name, ({ data, lastEventId }) => { take(JSON.parse(data), lastEventId) })
  }

  #expect (offset: number, what: string): void {
    if (this.#next === undefined || offset === this.#next) return
    this.faults.push(`${what} came where ${this.#next} was to come`)
  }

  #moveTo (id: string, next: number): void {
    if (id !== String(next)) this.faults.push(`the id ${id} came where ${next} is next`)
    this.#next = next
  }
}
