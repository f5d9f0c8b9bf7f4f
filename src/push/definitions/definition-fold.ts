import type { Logger } from '../../streams/index.ts'
import type { LogFold } from '../log/log-follower.ts'
import type { LogRecord } from '../log/log-record.ts'
import type { LogStream } from '../log/log-stream.ts'
import type { Command, Outcome, Subscription, SubscriptionKey } from './command.ts'
import { isCommand } from './command-check.ts'
import { Definitions } from './definitions.ts'
import { isOfSnapshot, SnapshotFinder, stateOf, type Snapshot, type State } from './snapshot.ts'

/** The consumer whose stored offset says up to where there is a snapshot. */
export const SNAPSHOT_REFERENCE = 'snapshot'
const MAX_LOADS = 5

/** What a command did, and the subscription right after it. */
export interface Submitted {
  readonly outcome: Outcome
  readonly subscription: Subscription | undefined
}

export interface DefinitionFoldOptions {
  readonly stream: LogStream
  readonly logger: Logger
  /** These have changed, or were read for the first time. */
  readonly changed: (keys: readonly SubscriptionKey[]) => void
}

/** The definitions as the log has them. A record that is not understood changes nothing. */
export class DefinitionFold implements LogFold {
  readonly #options: DefinitionFoldOptions
  readonly #awaited = new Map<string, (submitted: Submitted) => void>()
  #definitions = new Definitions()
  #finder = new SnapshotFinder()
  #nextOffset = 0
  #badRecords = 0
  #isLoaded = false
  #sinceSnapshot = { commands: 0, bytes: 0 }

  constructor (options: DefinitionFoldOptions) {
    this.#options = options
  }

  get definitions (): Definitions {
    return this.#definitions
  }

  /** Whether the log has been read once. */
  get isLoaded (): boolean {
    return this.#isLoaded
  }

  /** Records that were not understood. */
  get badRecords (): number {
    return this.#badRecords
  }

  /** What a start without a new snapshot has to read. */
  get sinceSnapshot (): { readonly commands: number, readonly bytes: number } {
    return this.#sinceSnapshot
  }

  /** For a snapshot. Undefined while nothing is known. */
  get state (): State | undefined {
    if (!this.#isLoaded || this.#nextOffset === 0) return undefined
    const { definitions } = this
    return {
      asOf: this.#nextOffset - 1,
      subscriptions: [...definitions.values()],
      commandIds: [...definitions.commandIds()]
    }
  }

  /** Calls back with what the command does, once it is read. @returns ends that */
  await (commandId: string, done: (submitted: Submitted) => void): () => void {
    this.#awaited.set(commandId, done)
    return () => { this.#awaited.delete(commandId) }
  }

  async load (signal: AbortSignal): Promise<number> {
    const { stream } = this.#options
    await stream.create()
    for (let loads = 1; ; loads++) {
      const start = await this.#start(signal)
      this.#finder = new SnapshotFinder()
      this.#sinceSnapshot = { commands: 0, bytes: 0 }
      const definitions = new Definitions()
      if (start.state !== undefined) definitions.restore(start.state.subscriptions, start.state.commandIds)
      const nextOffset = await this.#read(start.offset, signal, (record) => { this.#apply(record, definitions) })
      // Retention may have overtaken the read.
      if (nextOffset !== undefined || loads === MAX_LOADS) {
        this.#nextOffset = nextOffset ?? start.offset
        this.#replace(definitions)
        return this.#nextOffset
      }
    }
  }

  take (records: readonly LogRecord[], nextOffset: number): void {
    const changed = records.flatMap((record) => this.#apply(record, this.#definitions) ?? [])
    this.#nextOffset = nextOffset
    if (changed.length > 0) this.#options.changed(changed)
  }

  // Where the whole state can be had from: the first record when nothing was removed, otherwise a snapshot.
  async #start (signal: AbortSignal): Promise<{ offset: number, state?: State }> {
    const { stream, logger } = this.#options
    const [first, pointer] = [await stream.firstOffset(), await stream.pointer(SNAPSHOT_REFERENCE)]
    if (first === 0 && pointer === undefined) return { offset: 0 }
    // A pointer stays when retention has removed what it points to.
    const mayPoint = pointer !== undefined && pointer >= first
    const found = mayPoint ? await this.#lastSnapshot(pointer, first, signal) : undefined
    const state = found ?? (first === 0 ? undefined : await this.#lastSnapshot(first, first, signal))
    if (state !== undefined) return { offset: state.asOf + 1, state }
    if (first > 0) {
      logger.error({ stream: stream.name, firstOffset: first },
        'commands of subscriptions were removed from the log, and no snapshot has them: subscriptions are missing')
    }
    return { offset: first }
  }

  async #lastSnapshot (from: number, first: number, signal: AbortSignal): Promise<State | undefined> {
    const finder = new SnapshotFinder()
    let last: Snapshot | undefined
    await this.#read(from, signal, (record) => {
      const snapshot = finder.take(record)
      // A snapshot that lacks commands which the log no longer has cannot be used.
      if (snapshot !== undefined && snapshot.asOf + 1 >= first && snapshot.asOf >= (last?.asOf ?? 0)) last = snapshot
    })
    return last && stateOf(last)
  }

  /** @returns where the log ends; undefined when retention has removed what was to be read */
  async #read (from: number, signal: AbortSignal, take: (record: LogRecord) => void): Promise<number | undefined> {
    for (let offset = from; ;) {
      const page = await this.#options.stream.read(offset, 0, signal)
      if (page.hasGap) return undefined
      page.records.forEach(take)
      offset = page.nextOffset
      if (page.isEnd) return offset
    }
  }

  /** @returns the key of what was changed */
  #apply (record: LogRecord, definitions: Definitions): SubscriptionKey | undefined {
    if (isCommand(record.head)) return this.#applyCommand(record.head, record, definitions)
    if (!isOfSnapshot(record)) {
      this.#bad(record)
      return undefined
    }
    if (this.#finder.take(record) !== undefined) this.#sinceSnapshot = { commands: 0, bytes: 0 }
    return undefined
  }

  #applyCommand (command: Command, record: LogRecord, definitions: Definitions): SubscriptionKey | undefined {
    const { commands, bytes } = this.#sinceSnapshot
    this.#sinceSnapshot = { commands: commands + 1, bytes: bytes + record.bytes }
    const before = definitions.get(command.key)
    const outcome = definitions.apply(command, record.offset)
    const subscription = definitions.get(command.key)
    // The first time counts, when it was written twice.
    const done = this.#awaited.get(command.commandId)
    this.#awaited.delete(command.commandId)
    done?.({ outcome, subscription })
    return before === subscription ? undefined : command.key
  }

  #bad ({ offset }: LogRecord): void {
    const { logger, stream } = this.#options
    this.#badRecords++
    const fields = { stream: stream.name, offset, records: this.#badRecords }
    if (this.#badRecords > 1) logger.debug(fields, 'a record of the log of subscriptions is not understood')
    else logger.error(fields, 'a record of the log of subscriptions is not understood; such records are left out')
  }

  #replace (definitions: Definitions): void {
    const before = this.#definitions
    this.#definitions = definitions
    this.#isLoaded = true
    const gone = [...before.values()].filter(({ key }) => definitions.get(key) === undefined)
    this.#options.changed([...gone, ...definitions.values()].map(({ key }) => key))
  }
}
