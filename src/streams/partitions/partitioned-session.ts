import type { Lease } from '../common/lease.ts'
import { StreamsError } from '../errors.ts'
import type { MessageBatch } from '../message-batch.ts'
import { messageTooLarge } from '../publishing/message-size.ts'
import { callerLeft, type PublishResult } from '../publishing/outcome.ts'
import type { StreamedPublishOptions } from '../publishing/publisher-pool.ts'
import type { StreamedSession } from '../publishing/publish-session.ts'
import type { PartitionList, PartitionLists } from '../topology/partition-lists.ts'
import type { BoundKeys } from './bound-keys.ts'
import { Lane } from './lane.ts'
import { MessageOutcomes } from './message-outcomes.ts'
import type { NameTurns } from './name-turns.ts'
import { byHash, byKey, noRoute, type Route, type Routing } from './routing.ts'
import { sharesOf, splitting, type Numbered, type Share } from './shares.ts'

export interface RoutedOptions extends Omit<StreamedPublishOptions, 'expectedLastPublishingId' | 'streams'> {
  routing: Routing
  /** Of the messages without a key of their own. */
  routingKey?: string | undefined
  /** Given for a large batch: settles when work on it may continue, in another turn of the event loop. */
  turn?: (() => Promise<void>) | undefined
  /** Throws when the caller may not publish to these partitions, given by the names of the broker. */
  check: (partitions: readonly string[]) => void
}

export interface PartitionedSessionOptions {
  superStream: string
  request: RoutedOptions
  lists: PartitionLists
  keys: BoundKeys
  turns: NameTurns
  /** No entry of a frame can be larger. */
  maxEntryBytes: () => Promise<number>
  confirmTimeoutMs: number
  /** Holds memory for messages. @throws StreamsError `overloaded`, `draining` */
  reserve: (bytes: number) => Lease
  /** Begins a request to a partition. `partitions`: how many there are. */
  open: (partition: string, partitions: number) => StreamedSession
}

// A batch of this size fits into a frame of any broker.
const SURE_FRAME_BYTES = 4096

/**
 * One publish request to a super stream. Each message goes to its partition. What fails at one partition fails for the
 * messages of that one: the others are confirmed.
 */
export class PartitionedSession implements StreamedSession {
  readonly #options: PartitionedSessionOptions
  readonly #lanes: Lane[] = []
  // Those that messages go to.
  readonly #lanesOf = new Map<string, Lane>()
  readonly #outcomes = new MessageOutcomes()
  // What the whole request goes by, unless a partition turns out to be gone.
  #list: PartitionList | undefined
  #maxEntryBytes: number | undefined
  #endTurn: () => void = () => {}
  #count = 0

  constructor (options: PartitionedSessionOptions) {
    this.#options = options
  }

  /**
   * See `StreamedSession`. It throws before anything of the batch is sent: what fails later is in the result.
   *
   * @throws StreamsError `super_stream_not_found`, `access_refused`, `invalid_argument` when a message needs a routing
   *   key, `message_too_large`; what no partition takes
   */
  async write (batch: MessageBatch): Promise<void> {
    const { signal } = this.#options.request
    if (signal?.aborted === true) throw callerLeft()
    const list = this.#list ?? await this.#begin()
    if (batch.byteLength > SURE_FRAME_BYTES) await this.#refuseLarge(batch)
    this.#throwIfAllFailed(list)
    const shares = await this.#split({ batch, indexes: this.#count }, list)
    this.#count += batch.count
    await Promise.all(shares.map(async (share) => { await this.#send(share, list) }))
  }

  /** See `StreamedSession`. */
  async flush (): Promise<void> {
    await Promise.all(this.#lanes.map(async (lane) => { await lane.flush() }))
  }

  /** See `StreamedSession`. The partitions of the result have the names of the broker. */
  async finish (): Promise<PublishResult> {
    const confirmedIn = new Map<string, number>()
    let lastPublishingId: bigint | undefined
    for (const lane of this.#lanes) {
      const { confirmed, lastPublishingId: last, failures } = await lane.finish(this.#outcomes)
      confirmedIn.set(lane.partition, (confirmedIn.get(lane.partition) ?? 0) + confirmed)
      if (last !== undefined && last > (lastPublishingId ?? -1n)) lastPublishingId = last
      const isGone = lane.failure?.code === 'stream_not_found' ||
        failures.some(({ error }) => error.code === 'stream_not_found')
      if (isGone) this.#forget()
    }
    this.#endTurn()
    const partitions = this.#inOrder(confirmedIn)
    return { ...this.#outcomes.result(), partitions, ...(lastPublishingId !== undefined && { lastPublishingId }) }
  }

  // The order is that of the partitions. One that is gone or new comes last.
  #inOrder (confirmedIn: ReadonlyMap<string, number>): Record<string, number> {
    const places = new Map(this.#list?.partitions.map((partition, place) => [partition, place]))
    const placeOf = (partition: string): number => places.get(partition) ?? places.size
    return Object.fromEntries([...confirmedIn].sort(([a], [b]) => placeOf(a) - placeOf(b)))
  }

  async #begin (): Promise<PartitionList> {
    const { superStream, request: { publisher, signal }, turns, confirmTimeoutMs } = this.#options
    const list = await this.#ask()
    if (publisher !== undefined) {
      this.#endTurn = await turns.take(superStream, publisher, confirmTimeoutMs, signal)
    }
    this.#list = list
    return list
  }

  async #ask (): Promise<PartitionList> {
    const { superStream, request, lists } = this.#options
    const list = await lists.of(superStream, 'write')
    request.check(list.partitions)
    return list
  }

  async #routeFor (batch: MessageBatch, list: PartitionList): Promise<Route> {
    const { superStream, request: { routing, routingKey }, keys } = this.#options
    if (routing === 'hash') return byHash(list)
    const wanted = new Set<string>(routingKey === undefined ? [] : [routingKey])
    if (batch.hasRoutingKeys) {
      for (let at = 0; at < batch.count; at++) {
        const key = batch.routingKeyOf(at)
        if (key !== undefined) wanted.add(key)
      }
    }
    const bound = await keys.of(superStream, wanted)
    const targets = [...bound.values()].flatMap((found) => found instanceof StreamsError ? [] : found)
    // A partition that is new: its caller may have no right to it.
    if (targets.some((partition) => !list.partitions.includes(partition))) this.#options.request.check(targets)
    return byKey(list, bound)
  }

  async #split (messages: Numbered, list: PartitionList): Promise<Share[]> {
    const { request: { routingKey, turn }, reserve } = this.#options
    const { batch } = messages
    const route = await this.#routeFor(batch, list)
    if (turn === undefined) return sharesOf(messages, routingKey, route, this.#outcomes)
    const steps = splitting(messages, routingKey, route, this.#outcomes)
    let held = reserve(batch.heldBytes)
    try {
      let step = steps.next()
      for (; step.done !== true; step = steps.next()) {
        if (step.value !== undefined) {
          // Both at once: into an empty budget one lease always fits.
          held.end()
          held = reserve(batch.heldBytes + step.value)
        }
        await turn()
        if (this.#options.request.signal?.aborted === true) throw callerLeft()
      }
      if (step.value.every((share) => share.batch !== batch)) batch.clear()
      return step.value
    } finally {
      held.end()
    }
  }

  async #send (share: Share, list: PartitionList, mayGo = true): Promise<void> {
    const lane = this.#laneOf(share.partition, list)
    if (await lane.write(share, mayGo && this.#options.request.compression === undefined)) return
    // The stream is gone: the super stream may have other partitions by now.
    if (this.#lanesOf.get(share.partition) === lane) this.#lanesOf.delete(share.partition)
    try {
      const fresh = await this.#askAgain(list)
      for (const next of this.#sharesAmong(share, fresh)) await this.#send(next, fresh, false)
    } catch (error) {
      const failure = error instanceof StreamsError ? error : noRoute()
      for (const index of indexesOf(share)) this.#outcomes.fail(index, 'failed', failure)
    }
  }

  async #askAgain (before: PartitionList): Promise<PartitionList> {
    if (this.#list === before) {
      this.#forget()
      const list = await this.#ask()
      if (this.#list === before) this.#list = list
    }
    return this.#list ?? await this.#ask()
  }

  // By key, a message may be stored elsewhere already: it goes to no other partition than this one.
  #sharesAmong (share: Share, list: PartitionList): Share[] {
    const { routing, routingKey } = this.#options.request
    if (routing === 'hash') return sharesOf(share, routingKey, byHash(list), this.#outcomes)
    if (list.partitions.includes(share.partition)) return [share]
    throw noRoute()
  }

  #laneOf (partition: string, { partitions }: PartitionList): Lane {
    let lane = this.#lanesOf.get(partition)
    if (lane === undefined) {
      lane = new Lane(partition, () => this.#options.open(partition, partitions.length))
      this.#lanes.push(lane)
      this.#lanesOf.set(partition, lane)
    }
    return lane
  }

  // Nothing more would come of a request that is still being sent.
  #throwIfAllFailed ({ partitions }: PartitionList): void {
    let failure: StreamsError | undefined
    for (const partition of partitions) {
      failure = this.#lanesOf.get(partition)?.failure
      if (failure === undefined) return
    }
    if (failure !== undefined) throw failure
  }

  // At one partition it would fail for all messages of the request that go there.
  async #refuseLarge (batch: MessageBatch): Promise<void> {
    const maxEntryBytes = this.#maxEntryBytes ??= await this.#options.maxEntryBytes()
    if (batch.byteLength <= maxEntryBytes) return
    for (let at = 0; at < batch.count; at++) {
      if (batch.entryLength(at) > maxEntryBytes) throw messageTooLarge(this.#count + at, maxEntryBytes)
    }
  }

  #forget (): void {
    const { superStream, lists, keys } = this.#options
    lists.forget(superStream)
    keys.forget(superStream)
  }
}

function indexesOf ({ indexes, batch }: Share): readonly number[] {
  return typeof indexes === 'number' ? Array.from({ length: batch.count }, (_, at) => indexes + at) : indexes
}
