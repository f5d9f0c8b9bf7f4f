import { once, EventEmitter } from 'node:events'
import type { Test } from 'tap'
import { PushFigures } from '../../src/push/figures.ts'
import type { Seat } from '../../src/push/ownership/seat.ts'
import type { SlotLog } from '../../src/push/ownership/slot-log.ts'
import { Slots } from '../../src/push/ownership/slots.ts'
import type { SlotRecord } from '../../src/push/status/status-record.ts'
import type { Broker } from '../../src/streams/index.ts'
import { FaultProxy } from '../support/proxy.ts'
import { openBroker, testAddresses } from '../support/streams.ts'

export const SLOTS = 16
export const HEARTBEAT_SECONDS = 2

/** What all instances of a test read and write. */
export class SharedSlotLog implements SlotLog {
  isSilent = false
  readonly #records = new Map<number, SlotRecord>()

  publishSlot (record: SlotRecord): void {
    if (!this.isSilent) this.#records.set(record.slot, record)
  }

  forgetSlot (): void {}

  get slots (): ReadonlyMap<number, SlotRecord> {
    return this.#records
  }
}

/** Something that happened to a slot of an instance, with the time by performance.now(). */
export interface SlotEvent {
  readonly name: 'activated' | 'asked' | 'lost' | 'settled'
  readonly slot: number
  readonly atMs: number
}

export interface InstanceOptions {
  readonly prefix: string
  readonly lockStream: string
  readonly log: SlotLog
  readonly settle?: (slot: number, seat: Seat) => Promise<void>
  readonly isDirect?: boolean
  readonly beatMs?: number
  /** Of RabbitMQ; by default that of the tests. */
  readonly address?: { readonly host: string, readonly port: number }
}

/** A gateway as far as the slots are concerned, with a broker of its own behind a proxy of its own. */
export class Instance {
  readonly events: SlotEvent[] = []
  readonly seats = new Map<number, Seat>()
  readonly figures = new PushFigures()
  readonly warnings: string[] = []
  readonly broker: Broker
  readonly proxy: FaultProxy
  readonly slots: Slots
  readonly #emitter = new EventEmitter().setMaxListeners(0)

  private constructor (broker: Broker, proxy: FaultProxy, name: string, options: InstanceOptions) {
    const { prefix, lockStream, log, settle = async () => {}, beatMs } = options
    this.broker = broker
    this.proxy = proxy
    const warn = (_: object, message: string): void => { this.warnings.push(message) }
    this.slots = new Slots({
      broker,
      prefix,
      lockStream,
      instance: name,
      log,
      figures: this.figures,
      logger: { debug () {}, info () {}, warn, error: warn },
      beatMs,
      listener: {
        activated: (slot, seat) => {
          this.seats.set(slot, seat)
          this.#note({ name: 'activated', slot })
        },
        deactivated: async (slot, why) => {
          this.#note({ name: why, slot })
          const seat = this.seats.get(slot)
          if (why === 'asked' && seat !== undefined) await settle(slot, seat)
          this.seats.delete(slot)
          this.#note({ name: 'settled', slot })
        }
      }
    })
  }

  /** Begins to join. It ends with the test. */
  static async start (t: Test, name: string, options: InstanceOptions): Promise<Instance> {
    const { address = testAddresses() } = options
    const proxy = await FaultProxy.listen(address)
    t.teardown(async () => { await proxy.close() })
    const { host, port } = options.isDirect === true ? address : proxy
    const hosts = [{ host, port }]
    const broker = openBroker(t, { hosts, addressMode: 'configured', heartbeatSeconds: HEARTBEAT_SECONDS })
    const instance = new Instance(broker, proxy, name, options)
    t.teardown(async () => { await instance.slots.stop() })
    return instance
  }

  /** The slots whose seats it holds. */
  get owned (): number[] {
    return [...this.seats.keys()].sort((a, b) => a - b)
  }

  /** Waits until it holds as many seats. */
  async owns (count: number): Promise<void> {
    while (this.seats.size !== count) await once(this.#emitter, 'event', { signal: AbortSignal.timeout(30_000) })
  }

  #note (event: Omit<SlotEvent, 'atMs'>): void {
    this.events.push({ ...event, atMs: performance.now() })
    this.#emitter.emit('event')
  }
}

/** Deletes the slots with the test. */
export function deleteSlotsAfter (t: Test, prefix: string): void {
  const broker = openBroker(t)
  t.teardown(async () => { await broker.superStreams.delete(`${prefix}.slots`, () => {}).catch(() => {}) })
}
