import { randomUUID } from 'node:crypto'
import { StreamsError, type Broker, type Logger } from '../../streams/index.ts'
import { LogFollower } from '../log/log-follower.ts'
import { encodeRecord } from '../log/log-record.ts'
import { LogStream } from '../log/log-stream.ts'
import type { Change, Command, Subscription, SubscriptionKey } from './command.ts'
import { DefinitionFold, type Submitted } from './definition-fold.ts'
import { resealed, SealCheck } from './seal-check.ts'
import type { Sealing } from './sealing.ts'
import { SnapshotWriter, type SnapshotLimits } from './snapshot-writer.ts'
import { Submission } from './submission.ts'

export interface DefinitionLogOptions {
  /** With the account of the gateway; names are the broker's. */
  readonly broker: Broker
  /** Of the names of the gateway's own streams. */
  readonly prefix: string
  readonly sealing: Sealing
  readonly logger: Logger
  /** How long a change may take. */
  readonly submitTimeoutMs?: number
  readonly snapshots?: SnapshotLimits
}

const MB = 1024 * 1024
const ARGUMENTS = { maxSegmentSizeBytes: 8 * MB, maxLengthBytes: 64 * MB }
const SNAPSHOTS: SnapshotLimits = { commands: 1000, bytes: 4 * MB }
const SUBMIT_TIMEOUT_MS = 10_000
// A definition has at most 16 KiB. A reset names each partition.
const MAX_COMMAND_BYTES = 512 * 1024

/**
 * The definitions of all subscriptions, kept in a stream. Every instance that reads it has the same ones. A change is a
 * command: it counts when it is read back, and what it did is then known.
 */
export class DefinitionLog {
  readonly #options: DefinitionLogOptions
  readonly #stream: LogStream
  readonly #fold: DefinitionFold
  readonly #follower: LogFollower
  readonly #snapshots: SnapshotWriter
  readonly #sealCheck: SealCheck
  readonly #listeners = new Set<(keys: readonly SubscriptionKey[]) => void>()

  constructor (options: DefinitionLogOptions) {
    const { broker, prefix, logger, sealing, snapshots: limits = SNAPSHOTS } = options
    const stream = new LogStream({ broker, stream: `${prefix}.definitions`, args: ARGUMENTS })
    const fold = new DefinitionFold({ stream, logger, changed: (keys) => { this.#changed(keys) } })
    this.#options = options
    this.#stream = stream
    this.#fold = fold
    this.#sealCheck = new SealCheck(sealing, logger)
    this.#snapshots = new SnapshotWriter({ stream, fold, limits, logger })
    this.#follower = new LogFollower({ stream, fold, logger })
  }

  /** Begins to follow the log. Faults of the broker only delay it. */
  start (): void {
    this.#follower.start()
  }

  /** How many subscriptions there are. */
  get size (): number {
    return this.#fold.definitions.size
  }

  /** Records of the log that were not understood. */
  get badRecords (): number {
    return this.#fold.badRecords
  }

  get (key: SubscriptionKey): Subscription | undefined {
    return this.#fold.definitions.get(key)
  }

  /** In the order of their creation. */
  values (): Iterable<Subscription> {
    return this.#fold.definitions.values()
  }

  /** Calls the listener with the keys of subscriptions that have changed or are gone. @returns ends that */
  listen (listener: (keys: readonly SubscriptionKey[]) => void): () => void {
    this.#listeners.add(listener)
    return () => { this.#listeners.delete(listener) }
  }

  /** Settles when everything is known that was in the log at the call. @throws StreamsError */
  async caughtUp (signal: AbortSignal): Promise<void> {
    await this.#follower.caughtUp(signal)
  }

  /** Whether this instance has to write snapshots. One of all instances should. */
  snapshots (isMine: boolean): void {
    this.#snapshots.turn(isMine)
  }

  /**
   * Makes a change, and settles when it is known what it did. Secrets are sealed with the newest key before.
   *
   * @param ifVersion the version that the subscription must have; null: it must not exist; undefined: any
   * @throws StreamsError with `sideEffects: possible` when the change may still be made
   */
  async submit (key: SubscriptionKey, change: Change, ifVersion: number | null | undefined): Promise<Submitted> {
    const command: Command = {
      commandId: randomUUID(),
      key,
      change: this.#sealed(key, change),
      ...(ifVersion !== undefined && { ifVersion })
    }
    const record = encodeRecord(command)
    if (record.length > MAX_COMMAND_BYTES) throw tooLarge()
    const { submitTimeoutMs: timeoutMs = SUBMIT_TIMEOUT_MS } = this.#options
    const parts = { stream: this.#stream, fold: this.#fold, follower: this.#follower }
    return await new Submission({ ...parts, commandId: command.commandId, record, timeoutMs }).run()
  }

  /** Ends it. Calling it twice is fine. Never rejects. */
  async close (): Promise<void> {
    await this.#snapshots.close()
    await this.#follower.close()
  }

  #sealed (key: SubscriptionKey, change: Change): Change {
    if (change.type !== 'put') return change
    return { ...change, definition: resealed(change.definition, key, this.#options.sealing) }
  }

  #changed (keys: readonly SubscriptionKey[]): void {
    this.#sealCheck.look(keys.flatMap((key) => this.get(key) ?? []))
    for (const listener of this.#listeners) listener(keys)
    this.#snapshots.look()
  }
}

function tooLarge (): StreamsError {
  return new StreamsError('message_too_large', 'the change of the subscription is too large', {
    details: { index: 0, limitBytes: MAX_COMMAND_BYTES }
  })
}
