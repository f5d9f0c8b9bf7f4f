import { classify } from '../classify.ts'
import type { Logger } from '../common/logger.ts'
import type { Traffic } from '../common/traffic.ts'
import { pause, waitUntil, within } from '../common/wait.ts'
import type { ActiveConsumers } from '../consuming/active-consumers.ts'
import type { ConsumerOffsets } from '../consuming/consumer-offsets.ts'
import { StreamsError } from '../errors.ts'
import type { ManagementClient } from '../management/management-client.ts'
import {
  countSubscriptions, listDisks, listSampledStreams, type ListedStream, type NodeDisk
} from '../management/sampled-listing.ts'
import { listTracking } from '../management/stream-listing.ts'
import type { StreamEnds } from '../topology/stream-ends.ts'
import type { StreamNames } from '../topology/stream-names.ts'
import { Duty } from './duty.ts'
import { SERIES, type LagFigures, type TrafficFigures } from './figures.ts'
import { ringSize, type OffsetSample } from './offset-ring.ts'
import { SampledStream, type Round } from './sampled-stream.ts'

/** What the samples are made with. */
export interface SamplerSources {
  names: StreamNames
  ends: StreamEnds
  offsets: ConsumerOffsets
  members: ActiveConsumers
  management: ManagementClient
  traffic: Traffic
  logger: Logger
}

export interface SamplerOptions {
  /** Which streams, by the API's names. */
  readonly matches: (stream: string) => boolean
  readonly intervalMs: number
  /** Most time series. Streams and consumers beyond them are left out. */
  readonly maxSeries: number
  /** For how long samples are kept. */
  readonly historyMs: number
}

// Requests keep the broker and this process to themselves: a round is spread over half of the interval, with pauses of
// at most this time.
const AT_A_TIME = 4
const MAX_PACE_MS = 100
const SAMPLE_TIMEOUT_MS = 10_000
const CLOSE_TIMEOUT_MS = 1000
// Chunks that are read for their time, a round.
const MAX_PROBES = 50
// A round that takes longer than the interval is followed by a pause.
const LEAST_PAUSE_MS = 1000

interface Chosen { readonly listed: ListedStream, readonly sampled: SampledStream }

/**
 * Looks at streams again and again: where each begins and ends, on every instance, and how far its consumers are, on
 * the instance that is on duty.
 */
export class Sampler {
  readonly #sources: SamplerSources
  readonly #options: SamplerOptions
  readonly #duty: Duty
  readonly #closing = new AbortController()
  // By the broker's names.
  #streams: ReadonlyMap<string, SampledStream> = new Map()
  readonly #running: Promise<void>
  #wake: () => void = () => {}
  #disks: readonly NodeDisk[] = []
  #droppedSeries = 0
  #fault: string | undefined

  /** Begins at once. */
  constructor (sources: SamplerSources, options: SamplerOptions) {
    this.#sources = sources
    this.#options = options
    const { members, logger } = sources
    this.#duty = new Duty({ members, logger, changed: () => { this.#changed() } })
    this.#running = this.#run()
  }

  get figures (): LagFigures {
    const isOnDuty = this.#duty.isOn
    const streams = isOnDuty ? [...this.#streams.values()].map(({ figures }) => figures) : []
    const disks = isOnDuty ? this.#disks : []
    return { isOnDuty, streams, disks, traffic: this.#traffic(), droppedSeries: this.#droppedSeries }
  }

  /** The samples of a stream, the oldest first; undefined: it is not sampled. */
  history (brokerName: string, sinceMs: number): OffsetSample[] | undefined {
    return this.#streams.get(brokerName)?.samplesSince(sinceMs)
  }

  /** Ends it; another instance samples then. Calling it twice is fine. */
  async close (): Promise<void> {
    this.#closing.abort()
    this.#duty.end()
    await within(this.#running, { timeoutMs: CLOSE_TIMEOUT_MS })
  }

  #traffic (): TrafficFigures[] {
    return [...this.#streams].flatMap(([brokerName, { name }]) => {
      const traffic = this.#sources.traffic.of(brokerName)
      return traffic === undefined ? [] : [{ stream: name, ...traffic }]
    })
  }

  async #run (): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const beganMs = performance.now()
      await this.#round().then(() => { this.#fault = undefined }, (error: unknown) => { this.#tell(classify(error)) })
      const timeoutMs = Math.max(LEAST_PAUSE_MS, beganMs + this.#options.intervalMs - performance.now())
      await waitUntil((done) => {
        this.#wake = done
        return () => { this.#wake = () => {} }
      }, { timeoutMs, signal })
    }
  }

  #changed (): void {
    if (!this.#duty.isOn) for (const stream of this.#streams.values()) stream.forgetConsumers()
    this.#wake()
  }

  async #round (): Promise<void> {
    const { management, logger } = this.#sources
    const { streams, leftOut } = this.#choose(await listSampledStreams(management))
    const [first] = streams
    if (first === undefined) this.#duty.end()
    else await this.#duty.standFor(first.listed.name)
    if (this.#closing.signal.aborted) {
      this.#duty.end()
      return
    }
    const failures: unknown[] = []
    // A stream that was deleted meanwhile is not in the next list.
    const failed = (error: unknown): void => {
      if (classify(error).code !== 'stream_not_found') failures.push(error)
    }
    const round = await this.#begin(failed)
    const queue = streams.values()
    const paceMs = Math.min(MAX_PACE_MS, this.#options.intervalMs / 2 * AT_A_TIME / streams.length)
    await Promise.all(Array.from({ length: AT_A_TIME }, async () => {
      for (const { listed, sampled } of queue) {
        await this.#sample(sampled, listed, round).catch(failed)
        await pause(paceMs, this.#closing.signal)
      }
    }))
    const dropped = leftOut * SERIES.stream + this.#leaveOut() * SERIES.consumer
    if (dropped > 0 && this.#droppedSeries === 0) {
      logger.error({ series: dropped }, 'LAG_MAX_SERIES is reached: figures of streams or consumers are left out')
    }
    this.#droppedSeries = dropped
    if (failures.length > 0) throw failures[0]
  }

  // The first streams by name for which there are enough time series.
  #choose (all: readonly ListedStream[]): { streams: Chosen[], leftOut: number } {
    const { names, ends, offsets } = this.#sources
    const { matches, maxSeries, intervalMs, historyMs } = this.#options
    const matching = all.flatMap((listed) => {
      const name = names.fromBroker(listed.name)
      return name === undefined || !matches(name) ? [] : [{ name, listed }]
    })
    matching.sort((a, b) => a.listed.name < b.listed.name ? -1 : 1)
    const maxStreams = Math.floor(maxSeries / SERIES.stream)
    const size = ringSize(historyMs, intervalMs, maxStreams)
    const streams = matching.slice(0, maxStreams).map(({ name, listed }) => {
      const brokerName = listed.name
      const sampled = this.#streams.get(brokerName) ??
        new SampledStream({ name, brokerName, ends, offsets, size })
      return { listed, sampled }
    })
    this.#streams = new Map(streams.map(({ listed, sampled }) => [listed.name, sampled]))
    this.#sources.traffic.follow(this.#streams.keys())
    return { streams, leftOut: matching.length - streams.length }
  }

  async #begin (failed: (error: unknown) => void): Promise<Round> {
    const { management } = this.#sources
    const isOnDuty = this.#duty.isOn
    const [subscriptions, disks] = isOnDuty
      ? await Promise.all([
        countSubscriptions(management).catch(failed), listDisks(management).catch(failed)
      ])
      : []
    this.#disks = disks ?? []
    let probes = MAX_PROBES
    return {
      isOnDuty,
      subscriptions: subscriptions ?? new Map(),
      stored: async (stream) => await listTracking(management, stream, 'offset'),
      maxConsumers: Math.floor(this.#options.maxSeries / SERIES.consumer),
      takeProbe: () => probes-- > 0
    }
  }

  async #sample (stream: SampledStream, listed: ListedStream, round: Round): Promise<void> {
    const { signal } = this.#closing
    if (signal.aborted) return
    const done = stream.sample(listed, round).then(() => true)
    if (await within(done, { timeoutMs: SAMPLE_TIMEOUT_MS, signal }) === true || signal.aborted) return
    throw new StreamsError('broker_timeout', 'the broker takes too long for a sample')
  }

  // How many consumers there are no time series for.
  #leaveOut (): number {
    const { size } = this.#streams
    let room = Math.floor((this.#options.maxSeries - size * SERIES.stream) / SERIES.consumer)
    let leftOut = 0
    for (const stream of this.#streams.values()) {
      leftOut += stream.keep(room)
      room -= stream.figures.consumers.length
    }
    return leftOut
  }

  // The age of the samples says that it lasts.
  #tell ({ code, message }: StreamsError): void {
    if (this.#closing.signal.aborted || this.#fault === code) return
    this.#fault = code
    this.#sources.logger.warn({ code, reason: message }, 'some streams or consumers could not be sampled')
  }
}
