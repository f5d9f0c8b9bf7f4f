import type { Broker } from '../../streams/index.ts'
import type { Subscription, SubscriptionKey } from '../definitions/command.ts'
import { slotOf, unitId, type Unit } from '../unit.ts'
import type { DefinitionSource } from './ports.ts'
import { SuperStreamWatch } from './super-stream-watch.ts'

/** A unit of a subscription, and what keeps it from running. */
export interface PlannedUnit {
  readonly id: string
  readonly unit: Unit
  readonly slot: number
  readonly obstacle: string | undefined
}

export interface UnitCatalogOptions {
  readonly definitions: Pick<DefinitionSource, 'get' | 'values' | 'listen'>
  /** Names are the API's. */
  readonly broker: Broker
  readonly slotCount: number
  /** These units are there, and something of them may have changed. */
  readonly changed: (units: readonly PlannedUnit[]) => void
  /** These units are no longer there. */
  readonly gone: (ids: readonly string[]) => void
  /** Between two questions for the partitions of one super stream. */
  readonly partitionsEachMs?: number | undefined
}

/** All units that there are, by the definitions and by the partitions of super streams. */
export class UnitCatalog {
  readonly #options: UnitCatalogOptions
  readonly #bySubscription = new Map<string, ReadonlyMap<string, PlannedUnit>>()
  readonly #superStreams: SuperStreamWatch
  readonly #endListening: () => void

  constructor (options: UnitCatalogOptions) {
    this.#options = options
    const { definitions, broker, partitionsEachMs: eachMs } = options
    this.#superStreams = new SuperStreamWatch({ broker, eachMs, changed: (name) => { this.#look(name) } })
    this.#endListening = definitions.listen((keys) => {
      for (const key of keys) this.#update(key)
      this.#superStreams.keep(this.#wanted())
    })
    for (const { key } of definitions.values()) this.#update(key)
  }

  /** The units of a slot. */
  of (slot: number): PlannedUnit[] {
    const all = [...this.#bySubscription.values()].flatMap((units) => [...units.values()])
    return all.filter((unit) => unit.slot === slot)
  }

  stop (): void {
    this.#superStreams.stop()
    this.#endListening()
  }

  #look (superStream: string): void {
    for (const { key } of this.#options.definitions.values()) {
      if (key.source === 'superStream' && key.stream === superStream) this.#update(key)
    }
  }

  #wanted (): Set<string> {
    const keys = [...this.#options.definitions.values()].map(({ key }) => key)
    return new Set(keys.flatMap(({ source, stream }) => source === 'superStream' ? [stream] : []))
  }

  #update (key: SubscriptionKey): void {
    const { definitions, changed, gone } = this.#options
    const text = JSON.stringify([key.source, key.stream, key.subscription])
    const before = this.#bySubscription.get(text)
    const subscription = definitions.get(key)
    const after = new Map(subscription === undefined ? [] : this.#unitsOf(subscription, before))
    if (subscription === undefined) this.#bySubscription.delete(text)
    else this.#bySubscription.set(text, after)
    const missing = [...before?.keys() ?? []].filter((id) => !after.has(id))
    if (missing.length > 0) gone(missing)
    if (after.size > 0) changed([...after.values()])
  }

  #unitsOf (
    { key, redrives }: Subscription, before: ReadonlyMap<string, PlannedUnit> | undefined
  ): Array<[string, PlannedUnit]> {
    const plan = (unit: Unit, obstacle?: string): [string, PlannedUnit] => {
      const id = unitId(unit)
      const known = before?.get(id)
      const slot = known?.slot ?? slotOf(unit, this.#options.slotCount)
      return [id, { id, unit, slot, obstacle }]
    }
    const running = redrives.filter(({ state }) => state === 'running')
    return [
      ...this.#sourcesOf(key).map(({ partition, obstacle }) => plan({ key, partition, redrive: '' }, obstacle)),
      ...running.map(({ id }) => plan({ key, partition: '', redrive: id }))
    ]
  }

  #sourcesOf ({ source, stream }: SubscriptionKey): Array<{ partition: string, obstacle?: string | undefined }> {
    if (source === 'stream') return [{ partition: '' }]
    const known = this.#superStreams.of(stream)
    if (known === undefined) return []
    // The owner of a unit without a partition says that there are none.
    const partitions = known.partitions.length > 0 ? known.partitions : ['']
    return partitions.map((partition) => ({ partition, obstacle: known.obstacle }))
  }
}
