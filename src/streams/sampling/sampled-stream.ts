import type { ConsumerOffsets } from '../consuming/consumer-offsets.ts'
import { SAMPLER_GROUP } from '../consuming/sampler-group.ts'
import type { ListedStream, SubscriptionCounts } from '../management/sampled-listing.ts'
import type { StreamEnds, StreamLook } from '../topology/stream-ends.ts'
import type { ConsumerFigures, StreamFigures } from './figures.ts'
import { OffsetRing, type OffsetSample, type RingSize } from './offset-ring.ts'
import { ReadTimes } from './read-times.ts'

/** What all samples of a round have in common. */
export interface Round {
  /** Whether consumers are sampled. */
  readonly isOnDuty: boolean
  readonly subscriptions: SubscriptionCounts
  /** The stored offset of each consumer. @throws StreamsError */
  readonly stored: (stream: string) => Promise<ReadonlyMap<string, number>>
  readonly maxConsumers: number
  /** Whether one more chunk may be read for its time. */
  readonly takeProbe: () => boolean
}

export interface SampledStreamOptions {
  /** The API's name. */
  readonly name: string
  readonly brokerName: string
  readonly ends: StreamEnds
  readonly offsets: ConsumerOffsets
  readonly size: RingSize
}

// A stream that was deleted and created again may look the same: now and then nothing is taken from the look before.
const LOOKS_KEPT = 5
// Beyond this a number of JSON is not exact, and no stream has that many messages.
const MAX_EXACT = Number.MAX_SAFE_INTEGER

/** The samples of one stream. */
export class SampledStream {
  readonly name: string
  readonly #options: SampledStreamOptions
  readonly #ring: OffsetRing
  readonly #times: ReadTimes
  #look: StreamLook | undefined
  #looks = 0
  #sampledMs = Date.now()
  #listed: ListedStream | undefined
  #consumers: readonly ConsumerFigures[] = []

  constructor (options: SampledStreamOptions) {
    this.name = options.name
    this.#options = options
    this.#ring = new OffsetRing(options.size)
    this.#times = new ReadTimes(this.#ring, async (offset) => {
      return await options.ends.timeAt(options.brokerName, offset)
    })
  }

  /** Takes a sample. @throws StreamsError when it is not complete; what is known by then is kept */
  async sample (listed: ListedStream, round: Round): Promise<void> {
    this.#listed = listed
    const { ends, brokerName } = this.#options
    const before = this.#looks++ % LOOKS_KEPT === 0 ? undefined : this.#look
    const turn = this.#looks
    // The stored offsets first: none of them is then beyond an end that is older.
    const stored = round.isOnDuty ? await round.stored(brokerName) : undefined
    const look = await ends.look(brokerName, before)
    // It took so long that a later round has begun. Its end may be older than what is known by now.
    if (turn !== this.#looks) return
    const timeMs = Date.now()
    this.#look = look
    const { firstOffset, nextOffset } = look
    if (this.#ring.add({ timeMs, firstOffset, nextOffset })) this.#times.keepOnly(new Set())
    if (stored !== undefined) this.#consumers = await this.#sampleConsumers(stored, look, round)
    this.#sampledMs = timeMs
  }

  /** Keeps no more than the first consumers, and returns how many were left out. */
  keep (count: number): number {
    const { length } = this.#consumers
    if (length <= count) return 0
    this.#consumers = this.#consumers.slice(0, count)
    return length - count
  }

  /** Another instance samples the consumers. */
  forgetConsumers (): void {
    this.#consumers = []
    this.#times.keepOnly(new Set())
  }

  samplesSince (timeMs: number): OffsetSample[] {
    return this.#ring.since(timeMs)
  }

  get figures (): StreamFigures {
    return {
      stream: this.name,
      sampledMs: this.#sampledMs,
      firstOffset: this.#look?.firstOffset,
      nextOffset: this.#look?.nextOffset,
      lastMessageMs: this.#look?.lastMessage?.timeMs,
      segments: this.#listed?.segments,
      hasRetention: this.#listed?.hasRetention === true,
      consumers: this.#consumers
    }
  }

  async #sampleConsumers (
    stored: ReadonlyMap<string, number>, look: StreamLook, round: Round
  ): Promise<readonly ConsumerFigures[]> {
    const subscriptions = round.subscriptions.get(this.#options.brokerName) ?? new Map<string, number>()
    const names = [...new Set([...stored.keys(), ...subscriptions.keys()])].filter((name) => name !== SAMPLER_GROUP)
    names.sort()
    const figures: ConsumerFigures[] = []
    for (const name of names.slice(0, round.maxConsumers)) {
      figures.push(await this.#consumer(name, stored.get(name), subscriptions.get(name) ?? 0, look, round))
    }
    // Counted as left out by `keep`, without being looked at.
    for (const name of names.slice(round.maxConsumers)) figures.push(nothingKnown(name))
    this.#times.keepOnly(new Set(names))
    return figures
  }

  async #consumer (
    name: string, storedOffset: number | undefined, subscriptions: number, look: StreamLook, round: Round
  ): Promise<ConsumerFigures> {
    if (storedOffset === undefined) return { ...nothingKnown(name), subscriptions }
    const next = this.#nextOffset(name, storedOffset)
    const lagMessages = lagOf(next, look)
    const lagSeconds = lagMessages === undefined || next === undefined
      ? undefined
      : await this.#times.secondsBehind(name, Math.max(next, look.firstOffset), lagMessages, round.takeProbe)
    return { name, storedOffset, lagMessages, lagSeconds, subscriptions }
  }

  #nextOffset (name: string, storedOffset: number): number | undefined {
    if (storedOffset > MAX_EXACT) return undefined
    const { offsets, brokerName } = this.#options
    return Number(offsets.nextOffsetOf(brokerName, name, BigInt(storedOffset)))
  }
}

function lagOf (next: number | undefined, { lastMessage, nextOffset }: StreamLook): number | undefined {
  if (next === undefined) return undefined
  const afterLast = (lastMessage?.offset ?? -1) + 1
  if (next <= afterLast) return afterLast - next
  // The broker's own records may follow the last message.
  return next <= nextOffset ? 0 : undefined
}

function nothingKnown (name: string): ConsumerFigures {
  return { name, storedOffset: undefined, lagMessages: undefined, lagSeconds: undefined, subscriptions: 0 }
}
