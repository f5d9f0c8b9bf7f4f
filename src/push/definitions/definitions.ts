import type { FailureClass } from '../delivery/failure.ts'
import type { Definition, PauseCause } from './definition.ts'

/** How many ids of commands are remembered, so that one that is written twice counts once. */
const REMEMBERED_COMMANDS = 10_000
const MAX_SUBSCRIPTIONS = 1000

/** Which subscription: of a stream or a super stream, by the API's names. */
export interface SubscriptionKey {
  readonly source: 'stream' | 'superStream'
  readonly stream: string
  readonly subscription: string
}

/** A change, as it is written into the log of definitions. */
export interface Command {
  readonly commandId: string
  readonly key: SubscriptionKey
  readonly change: Change
  /** The version that the subscription must have; null: it must not exist; undefined: any. */
  readonly ifVersion?: number | null
}

/**
 * - `put`: creates or replaces
 * - `delete`: the definition goes; the stored offset stays
 * - `pause`, `resume`
 * - `reset`: the owner of each unit has to continue at the offset that is given for it, by partition (empty for a
 *   stream). It begins a new generation
 * - `resetDone`: the owner of a unit has stored that offset. Changes no version
 * - `skip`: the message goes where failed messages go, if the subscription stands on it
 * - `redrive`, `redriveEnd`: see `Redrive`. They change no version
 */
export type Change =
  | { readonly type: 'put', readonly definition: Definition }
  | { readonly type: 'delete' }
  | { readonly type: 'pause', readonly cause: PauseCause }
  | { readonly type: 'resume' }
  | { readonly type: 'reset', readonly offsets: Readonly<Record<string, number>> }
  | { readonly type: 'resetDone', readonly partition: string, readonly generation: number }
  | { readonly type: 'skip', readonly partition: string, readonly offset: number }
  | { readonly type: 'redrive', readonly id: string, readonly request: RedriveRequest, readonly at: number }
  | { readonly type: 'redriveEnd', readonly id: string, readonly state: RedriveEnd }

/** Which entries of the error stream are delivered again. */
export interface RedriveRequest {
  /** The first offset of the error stream. */
  readonly from: number
  /** The last offset of the error stream. It is fixed when the redrive begins, so that a redrive has an end. */
  readonly to: number
  /** At most this many entries. */
  readonly limit: number | null
  /** Only entries of this class. */
  readonly class: FailureClass | null
  /** Only entries with this status. */
  readonly status: number | null
}

export type RedriveEnd = 'done' | 'cancelled'

/** A job that delivers entries of the error stream again. */
export interface Redrive {
  readonly id: string
  readonly request: RedriveRequest
  readonly state: 'running' | RedriveEnd
  /** When it was asked for, by the clock, ms since 1970. */
  readonly at: number
}

/** A subscription as the log says it is. */
export interface Subscription {
  readonly key: SubscriptionKey
  readonly definition: Definition
  /** The offset of the last command that changed it. */
  readonly version: number
  /** Grows with each reset. */
  readonly generation: number
  /** Where units have to continue whose owners have not stored it yet, by partition. */
  readonly resets: Readonly<Record<string, number>>
  /** The messages to be skipped, by partition. A reset forgets them. */
  readonly skips: Readonly<Record<string, number>>
  /** Those that run, and the last ones that have ended. */
  readonly redrives: readonly Redrive[]
}

/** What a command did. */
export type Outcome = 'applied' | 'known' | 'precondition_failed' | 'not_found' | 'too_many'

/**
 * All definitions, made from the commands of a log in their order. Every instance that reads the same log has the same
 * definitions: no clock and no chance has a part in it.
 */
export class Definitions {
  readonly #subscriptions = new Map<string, Subscription>()
  readonly #commands = new Set<string>()

  get size (): number {
    return this.#subscriptions.size
  }

  /** In the order of their creation. */
  values (): IterableIterator<Subscription> {
    return this.#subscriptions.values()
  }

  get (key: SubscriptionKey): Subscription | undefined {
    return this.#subscriptions.get(textOf(key))
  }

  /** Ids of the commands that are remembered, the oldest first. */
  commandIds (): IterableIterator<string> {
    return this.#commands.values()
  }

  /** @param offset of the command in the log, higher than that of any before */
  apply (command: Command, offset: number): Outcome {
    if (this.#commands.has(command.commandId)) return 'known'
    this.#remember(command.commandId)
    const text = textOf(command.key)
    const before = this.#subscriptions.get(text)
    if (command.ifVersion !== undefined && command.ifVersion !== (before?.version ?? null)) return 'precondition_failed'
    const { change } = command
    if (change.type === 'put') return this.#put(command.key, change.definition, before, offset)
    if (before === undefined) return 'not_found'
    if (change.type === 'delete') this.#subscriptions.delete(text)
    else this.#subscriptions.set(text, { ...before, version: offset, generation: before.generation + 1 })
    return 'applied'
  }

  /** Takes what a snapshot says. */
  restore (subscriptions: Iterable<Subscription>, commandIds: Iterable<string>): void {
    this.#subscriptions.clear()
    this.#commands.clear()
    for (const subscription of subscriptions) this.#subscriptions.set(textOf(subscription.key), subscription)
    for (const id of commandIds) this.#remember(id)
  }

  #put (key: SubscriptionKey, definition: Definition, before: Subscription | undefined, offset: number): Outcome {
    if (before === undefined && this.#subscriptions.size >= MAX_SUBSCRIPTIONS) return 'too_many'
    // A subscription that is deleted and made anew gets a generation that none before it had.
    const generation = before?.generation ?? offset
    this.#subscriptions.set(textOf(key), { key, definition, version: offset, generation })
    return 'applied'
  }

  #remember (commandId: string): void {
    this.#commands.add(commandId)
    const [oldest] = this.#commands.size > REMEMBERED_COMMANDS ? this.#commands : []
    if (oldest !== undefined) this.#commands.delete(oldest)
  }
}

function textOf ({ source, stream, subscription }: SubscriptionKey): string {
  return JSON.stringify([source, stream, subscription])
}
