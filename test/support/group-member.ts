import { once, EventEmitter } from 'node:events'
import type { Test } from 'tap'
import {
  dataBodyOf, type ActiveConsumer, type Broker, type Deactivation, type Position, type StreamsError
} from '../../src/streams/index.ts'

/** What happened to a member, with the time by performance.now(). */
export interface MemberEvent {
  readonly name: 'activated' | 'asked' | 'lost' | 'failed' | 'settled'
  readonly atMs: number
  readonly nextOffset?: number
  readonly error?: StreamsError
}

/**
 * A member of a group of single active consumers that reads while it is active, as a client of the gateway does, and
 * stores what it has read when it is asked to stop.
 */
export class GroupMember {
  readonly events: MemberEvent[] = []
  readonly bodies: string[] = []
  /** Where it reads on. */
  position = 0
  readonly #broker: Broker
  readonly #stream: string
  readonly #consumer: string
  readonly #settleMs: number
  readonly #emitter = new EventEmitter().setMaxListeners(0)
  #member: ActiveConsumer | undefined
  #reading = new AbortController()

  private constructor (broker: Broker, stream: string, consumer: string, settleMs: number) {
    this.#broker = broker
    this.#stream = stream
    this.#consumer = consumer
    this.#settleMs = settleMs
  }

  /** Joins, and leaves with the test. @param settleMs how long it takes to stop when it is asked to */
  static async join (
    t: Test, broker: Broker, stream: string, consumer: string,
    { from = { type: 'first' }, settleMs = 0 }: { from?: Position, settleMs?: number } = {}
  ): Promise<GroupMember> {
    const joined = new GroupMember(broker, stream, consumer, settleMs)
    const member = await broker.consumers.join(stream, consumer, from)
    joined.#member = member
    t.teardown(() => { joined.leave() })
    member.listen({
      activated: (nextOffset) => {
        joined.#note({ name: 'activated', nextOffset })
        joined.#reading = new AbortController()
        joined.position = nextOffset
        void joined.#read(joined.#reading.signal)
      },
      deactivated: async (why) => { await joined.#stop(why) },
      failed: (error) => { joined.#note({ name: 'failed', error }) }
    })
    return joined
  }

  get isActive (): boolean {
    return this.#member?.isActive ?? false
  }

  get names (): string[] {
    return this.events.map(({ name }) => name)
  }

  /** The n-th event of the name. */
  async event (name: MemberEvent['name'], nth = 1): Promise<MemberEvent> {
    for (;;) {
      const found = this.events.filter((event) => event.name === name)[nth - 1]
      if (found !== undefined) return found
      await once(this.#emitter, 'event', { signal: AbortSignal.timeout(30_000) })
    }
  }

  async hasRead (count: number): Promise<void> {
    while (this.bodies.length < count) await once(this.#emitter, 'read', { signal: AbortSignal.timeout(30_000) })
  }

  leave (): void {
    this.#reading.abort()
    this.#member?.end()
  }

  async #stop (why: Deactivation): Promise<void> {
    this.#note({ name: why })
    this.#reading.abort()
    if (why === 'lost') return
    await new Promise((resolve) => setTimeout(resolve, this.#settleMs))
    if (this.position > 0) await this.#broker.consumers.storeOffset(this.#stream, this.#consumer, this.position - 1)
    this.#note({ name: 'settled' })
  }

  async #read (signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const from = { type: 'offset', offset: this.position } as const
      const request = { from, limit: 10, maxBytes: 100_000, waitMs: 500 }
      try {
        const batch = await this.#broker.reading.read(this.#stream, request, signal)
        if (!signal.aborted) {
          for (const { bytes } of batch.messages) this.bodies.push(Buffer.from(dataBodyOf(bytes) ?? []).toString())
          this.position = batch.nextOffset
        }
        batch.release()
        this.#emitter.emit('read')
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }

  #note (event: Omit<MemberEvent, 'atMs'>): void {
    this.events.push({ ...event, atMs: performance.now() })
    this.#emitter.emit('event')
  }
}
