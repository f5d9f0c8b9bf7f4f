import { hostname } from 'node:os'
import { randomBytes } from 'node:crypto'
import type { BrokerSet, Logger } from '../streams/index.ts'
import { DefinitionLog } from './definitions/definition-log.ts'
import { Sealing } from './definitions/sealing.ts'
import { Endpoints } from './endpoint/endpoints.ts'
import { Guard, type GuardOptions } from './endpoint/guard.ts'
import { PushFigures } from './figures.ts'
import { Slots } from './ownership/slots.ts'
import { Push } from './push.ts'
import type { PushPort } from './push-port.ts'
import { StatusLog } from './status/status-log.ts'
import { Supervisor } from './supervision/supervisor.ts'
import { startWorker } from './worker/worker.ts'

export interface PushServiceOptions {
  readonly brokers: BrokerSet
  readonly virtualHost: string
  readonly guard: GuardOptions
  readonly maxConnectionsPerOrigin: number
  /** Of 32 bytes, the newest first; without one secrets are not encrypted. */
  readonly encryptionKeys: readonly Buffer[]
  readonly streamPrefix: string
  readonly heartbeatSeconds: number
  readonly handoverMs: number
  readonly logger: Logger
}

/** What an instance shows of a unit that it delivers. */
export interface SubscriptionFigure {
  readonly labels: { readonly stream: string, readonly subscription: string, readonly partition: string }
  readonly state: string
  readonly lagMessages: number
}

/** Push subscriptions in this process: the logs that all instances share, the slots of this one, and its deliveries. */
export class PushService {
  /** What routes use. */
  readonly port: PushPort
  readonly figures = new PushFigures()
  readonly #definitions: DefinitionLog
  readonly #status: StatusLog
  readonly #slots: Slots
  readonly #supervisor: Supervisor
  readonly #endpoints: Endpoints
}
