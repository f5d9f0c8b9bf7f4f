import type { NodeDisk } from '../management/sampled-listing.ts'

/** What the latest sample of a consumer says. */
export interface ConsumerFigures {
  readonly name: string
  /** Undefined: only its subscriptions are known. */
  readonly storedOffset: number | undefined
  /** Offsets from the next one to that of the last message; undefined: it would read on beyond the end. */
  readonly lagMessages: number | undefined
  /** For how long the next message waits for it; undefined: not known yet. */
  readonly lagSeconds: number | undefined
  /** Live subscriptions of the name, of all clients. */
  readonly subscriptions: number
}

/** What the latest sample of a stream says. Names are the API's. */
export interface StreamFigures {
  readonly stream: string
  /** When the sample was complete or, without one, when the stream was first seen, ms since the epoch. */
  readonly sampledMs: number
  readonly firstOffset: number | undefined
  readonly nextOffset: number | undefined
  /** When the last message was written, ms since the epoch. */
  readonly lastMessageMs: number | undefined
  readonly segments: number | undefined
  readonly hasRetention: boolean
  readonly consumers: readonly ConsumerFigures[]
}

/** What has gone through this instance of a stream, since it samples the stream. */
export interface TrafficFigures {
  /** The API's name. */
  readonly stream: string
  /** Messages that the broker confirmed to publishers of this instance. */
  readonly confirmed: number
  /** Messages in answers of this instance, and in what it has delivered. */
  readonly read: number
}

/** What there is to show of the latest samples. */
export interface LagFigures {
  /** Whether this instance samples consumers. Without that it has only the traffic to show. */
  readonly isOnDuty: boolean
  readonly streams: readonly StreamFigures[]
  readonly disks: readonly NodeDisk[]
  readonly traffic: readonly TrafficFigures[]
  /** Time series left out because there are too many. */
  readonly droppedSeries: number
}

/** How many time series a stream and a consumer take. */
export const SERIES = { stream: 8, consumer: 4 } as const
