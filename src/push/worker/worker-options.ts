import type { DeliverySpans } from '../../messages/index.ts'
import type { Broker, ByteBudget, Logger } from '../../streams/index.ts'
import type { Sealing } from '../definitions/sealing.ts'
import type { Subscription } from '../definitions/definitions.ts'
import type { PauseReason, RetryState } from '../delivery/ordered-delivery.ts'
import type { Endpoints } from '../endpoint/endpoints.ts'
import type { PushFigures } from '../figures.ts'
import type { Seat } from '../ownership/seat.ts'
import type { Report } from '../status/status-record.ts'
import type { Unit } from '../unit.ts'
import type { Ticks } from './ticks.ts'

/** What all workers of the process share. */
export interface WorkerShared {
  /** With the gateway's own account. Names are the API's. */
  readonly broker: Broker
  readonly endpoints: Endpoints
  readonly sealing: Sealing
  readonly virtualHost: string
  readonly figures: PushFigures
  readonly logger: Logger
  /** Of the gateway: endpoints see it. */
  readonly version: string
  /** What workers may hold of messages, together. */
  readonly memory: ByteBudget
  /** One for all workers. */
  readonly ticks: Ticks
  /** Makes a span of each request; undefined where no spans are made. */
  readonly spans?: DeliverySpans | undefined
}

/** What a worker is to deliver, and with what it continues. */
export interface WorkerTask {
  readonly unit: Unit
  readonly subscription: Subscription
  readonly seat: Seat
  /** What the owner before knew of the message that is tried; undefined: nothing. */
  readonly retry: RetryState | undefined
  /**
   * What the owner before had reached in this generation: `nextOffset` of its last report. It counts when the broker
   * has forgotten the stored offset, as it does when retention passes it, and where a stored 0 has two meanings.
   * Undefined: not known.
   */
  readonly reached?: number | undefined
  /** `delivery-generation` of the requests. */
  readonly deliveryGeneration: number
}

/** What a worker tells its supervisor. None of these throws. */
export interface WorkerListener {
  /** Something has changed. May be called often. */
  readonly report: (report: Report) => void
  /** The subscription has to pause. The worker does nothing more until it is stopped. */
  readonly pause: (reason: PauseReason) => void
  /** Another program has stored this next offset for the consumer: a reset. The worker does nothing more. */
  readonly moved: (nextOffset: number) => void
  /** A redrive has come to its end. */
  readonly done: () => void
}

/** Delivers one unit until it is stopped. */
export interface Worker {
  /**
   * - `settle`: no new request; what is in flight may end within the time, the rest is given up; then stores
   * - `abandon`: gives up at once and stores nothing, because the seat is lost
   *
   * Settles when nothing more is sent or stored. Never rejects. Calling it twice is fine.
   */
  stop (how: 'settle' | 'abandon', timeoutMs: number): Promise<void>
  /** The subscription has to skip this message if it stands on it: the message goes where failed messages go. */
  skip (offset: number): void
}

export type StartWorker = (task: WorkerTask, listener: WorkerListener, shared: WorkerShared) => Worker
