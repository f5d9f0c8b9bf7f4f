import { changed } from './changes.ts'
import type { Change, Command, Outcome, Subscription, SubscriptionKey } from './command.ts'

export type * from './command.ts'

type Put = Extract<Change, { readonly type: 'put' }>

/** How many ids of commands are remembered, so that one that is written twice counts once. */
const REMEMBERED_COMMANDS = 10_000
const MAX_SUBSCRIPTIONS = 1000

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
    if (change.type === 'put') return this.#put(command.key, change, before, offset)
    if (before === undefined) return 'not_found'
    if (change.type === 'delete') {
      this.#subscriptions.delete(text)
      return 'applied'
    }
    const after = changed(before, change, offset)
    if (typeof after === 'string') return after
    this.#subscriptions.set(text, after)
    return 'applied'
  }

  /** Takes what a snapshot says. */
  restore (subscriptions: Iterable<Subscription>, commandIds: Iterable<string>): void {
    this.#subscriptions.clear()
    this.#commands.clear()
    for (const subscription of subscriptions) this.#subscriptions.set(textOf(subscription.key), subscription)
    for (const id of commandIds) this.#remember(id)
  }

  #put (key: SubscriptionKey, { definition, starts }: Put, before: Subscription | undefined, offset: number): Outcome {
    if (before === undefined && this.#subscriptions.size >= MAX_SUBSCRIPTIONS) return 'too_many'
    const { redrives = [] } = before ?? {}
    const after = { key, definition, version: offset, starts: starts ?? before?.starts ?? {}, redrives }
    this.#subscriptions.set(textOf(key), before !== undefined && before.definition.consumer === definition.consumer
      ? { ...before, ...after }
      // A subscription that is deleted and made anew gets a generation that none before it had. Another consumer is at
      // another place, as after a reset.
      : { ...after, generation: before === undefined ? offset : before.generation + 1, resets: {}, skips: {} })
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
