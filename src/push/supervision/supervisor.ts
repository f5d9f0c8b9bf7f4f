import { setTimeout as delay } from 'node:timers/promises'
import { Permits, type Broker, type Deactivation, type Logger } from '../../streams/index.ts'
import { delayAfter } from '../delivery/retry.ts'
import type { Seat } from '../ownership/seat.ts'
import { Slots } from '../ownership/slots.ts'
import type { Report } from '../status/status-record.ts'
import { unitId, type Unit } from '../unit.ts'
import type { StartWorker, WorkerShared } from '../worker/worker-options.ts'
import { OwnedSlot } from './owned-slot.ts'
import type { DefinitionSource, StatusSink } from './ports.ts'
import { UnitCatalog, type PlannedUnit } from './unit-catalog.ts'
import type { RunnerOptions } from './unit-runner.ts'

export interface SupervisorOptions {
  /** An internal one with a short heartbeat: its names are the broker's. */
  readonly slotBroker: Broker
  /** What the names of the streams that push subscriptions keep for themselves begin with. */
  readonly prefix: string
  /** The name of this instance. */
  readonly instance: string
  readonly definitions: DefinitionSource
  readonly status: StatusSink
  readonly startWorker: StartWorker
  readonly shared: WorkerShared
  /** How long a worker may take to stop when its slot goes to another instance. */
  readonly handoverMs: number
  readonly logger: Logger
  /** Between two looks at the records of slots. */
  readonly beatMs?: number | undefined
  /** Between two questions for the partitions of one super stream. */
  readonly partitionsEachMs?: number | undefined
}

// The owner of this slot writes snapshots of the definitions.
const SNAPSHOT_SLOT = 0
const MAX_STARTS = 32
const PAUSES = { initialDelayMs: 100, maxDelayMs: 5000, factor: 2 }
// Beyond the handover: for the last stores and records.
const SETTLE_MS = 5000
const FLUSH_MS = 1000

/** Runs the units of the slots that this instance owns. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #runners: RunnerOptions
  readonly #slots: Slots
  readonly #owned = new Map<number, OwnedSlot>()
  #catalog: UnitCatalog | undefined
  #stopped: Promise<void> | undefined

  constructor (options: SupervisorOptions) {
    this.#options = options
    this.#runners = { ...options, starts: new Permits(MAX_STARTS) }
    this.#slots = new Slots({
      ...options,
      broker: options.slotBroker,
      log: options.status,
      lockStream: `${options.prefix}.definitions`,
      figures: options.shared.figures,
      listener: {
        activated: (slot, seat) => { this.#activate(slot, seat) },
        deactivated: async (slot, why) => { await this.#deactivate(slot, why) }
      }
    })
  }

  /** How many slots there are; undefined before that is known. */
  get slotCount (): number | undefined {
    return this.#slots.count
  }

  /** The name of the instance that has the slot; undefined: none, as far as this one knows. */
  ownerOf (slot: number): string | undefined {
    return this.#slots.ownerOf(slot)
  }

  /** The units of this instance, each with what it says of it. */
  * reports (): Generator<{ readonly unit: Unit, readonly report: Report | undefined }> {
    for (const owned of this.#owned.values()) {
      for (const unit of owned.units) yield { unit, report: this.#options.status.of(unitId(unit)) }
    }
  }

  /** How many units this instance has. */
  get unitCount (): number {
    return [...this.#owned.values()].reduce((sum, { unitCount }) => sum + unitCount, 0)
  }

  /**
   * Hands all slots over: workers settle and store, what they say is written, then the group of the slot is left. Takes
   * little more than the handover. Never rejects. Calling it twice is fine.
   */
  async stop (): Promise<void> {
    this.#stopped ??= this.#stop()
    await this.#stopped
  }

  async #stop (): Promise<void> {
    await this.#slots.stop()
    this.#catalog?.stop()
  }

  #activate (slot: number, seat: Seat): void {
    const owned = new OwnedSlot(seat, this.#runners)
    this.#owned.set(slot, owned)
    void this.#begin(slot, owned)
  }

  // Nothing runs before everything is known that the owner before has written.
  async #begin (slot: number, owned: OwnedSlot): Promise<void> {
    const { definitions, status, logger } = this.#options
    const { ending } = owned
    for (let failures = 0; !ending.aborted; failures++) {
      try {
        await Promise.all([definitions.caughtUp(ending), status.caughtUp(ending)])
        break
      } catch (err) {
        logger.debug({ slot, err }, 'the logs of push subscriptions could not be read')
        await delay(delayAfter(failures + 1, PAUSES), undefined, { signal: ending }).catch(() => {})
      }
    }
    if (ending.aborted) return
    if (slot === SNAPSHOT_SLOT) definitions.snapshots(true)
    const units = this.#units()
    owned.isReady = true
    for (const unit of units.of(slot)) owned.take(unit)
  }

  async #deactivate (slot: number, why: Deactivation): Promise<void> {
    const { definitions, status, handoverMs, logger } = this.#options
    const owned = this.#owned.get(slot)
    if (owned === undefined) return
    if (slot === SNAPSHOT_SLOT) definitions.snapshots(false)
    const over = new AbortController()
    const late = delay(handoverMs + SETTLE_MS, 'late', { signal: over.signal }).catch(() => {})
    const end = owned.end(why === 'lost' ? 'abandon' : 'settle', handoverMs)
    if (await Promise.race([end, late]) === 'late') logger.error({ slot }, 'deliveries did not stop in time')
    over.abort()
    if (why === 'asked') await status.flush(FLUSH_MS)
    if (this.#owned.get(slot) === owned) this.#owned.delete(slot)
  }

  // The number of slots is known when the first one is owned.
  #units (): UnitCatalog {
    const { definitions, shared: { broker }, partitionsEachMs } = this.#options
    this.#catalog ??= new UnitCatalog({
      definitions,
      broker,
      slotCount: this.#slots.count ?? 0,
      partitionsEachMs,
      changed: (units) => { this.#take(units) },
      gone: (ids) => { for (const owned of this.#owned.values()) for (const id of ids) owned.leave(id) }
    })
    return this.#catalog
  }

  #take (units: readonly PlannedUnit[]): void {
    for (const unit of units) {
      const owned = this.#owned.get(unit.slot)
      if (owned?.isReady === true) owned.take(unit)
    }
  }
}
