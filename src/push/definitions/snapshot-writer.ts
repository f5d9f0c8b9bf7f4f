import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../streams/index.ts'
import type { LogStream } from '../log/log-stream.ts'
import { SNAPSHOT_REFERENCE, type DefinitionFold } from './definition-fold.ts'
import { snapshotRecords } from './snapshot.ts'

/** When a snapshot is due. */
export interface SnapshotLimits {
  readonly commands: number
  readonly bytes: number
}

export interface SnapshotWriterOptions {
  readonly stream: LogStream
  readonly fold: DefinitionFold
  readonly limits: SnapshotLimits
  readonly logger: Logger
}

const TRIES = 3
const RETRY_MS = 1000
// After a snapshot that could not be written. The log is a start's only work until then.
const PAUSE_MS = 30_000

/** Writes snapshots into the log, while it is the turn of this instance to do so. */
export class SnapshotWriter {
  readonly #options: SnapshotWriterOptions
  #turn: AbortController | undefined
  #writing: Promise<void> | undefined
  #notBeforeMs = -Infinity

  constructor (options: SnapshotWriterOptions) {
    this.#options = options
  }

  /** One instance at a time should have it. Two do no harm. */
  turn (isMine: boolean): void {
    if (!isMine) this.#turn?.abort()
    this.#turn = isMine ? this.#turn ?? new AbortController() : undefined
    this.look()
  }

  /** Writes a snapshot if one is due. To be called after commands were read. */
  look (): void {
    const { fold: { sinceSnapshot: { commands, bytes } }, limits } = this.#options
    if (this.#turn === undefined || this.#writing !== undefined || performance.now() < this.#notBeforeMs) return
    if (commands < limits.commands && bytes < limits.bytes) return
    this.#writing = this.#write(this.#turn.signal).finally(() => { this.#writing = undefined })
  }

  /** Ends it. Never rejects. */
  async close (): Promise<void> {
    this.turn(false)
    await this.#writing
  }

  async #write (signal: AbortSignal): Promise<void> {
    const { fold: { state }, stream, logger } = this.#options
    if (state === undefined) return
    try {
      for (const record of snapshotRecords(state)) await this.#writeRecord(record, signal)
      await stream.point(SNAPSHOT_REFERENCE, state.asOf)
      const { asOf, subscriptions: { length } } = state
      logger.info({ asOf, subscriptions: length }, 'a snapshot of subscriptions is written')
    } catch (error) {
      if (signal.aborted) return
      this.#notBeforeMs = performance.now() + PAUSE_MS
      logger.warn({ err: error }, 'a snapshot of subscriptions could not be written; it is tried again')
    }
  }

  async #writeRecord (record: Buffer, signal: AbortSignal): Promise<void> {
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted()
      const written = await this.#options.stream.write([record], signal)
      if (written.isStored) return
      if (tries === TRIES) throw written.error
      await delay(RETRY_MS, undefined, { signal })
    }
  }
}
