import { StreamsError } from '../errors.ts'
import { MessageBatch } from '../message-batch.ts'
import type { Route, Targets } from './routing.ts'

/** Messages of a request, with the index of each in it. */
export interface Numbered {
  readonly batch: MessageBatch
  /** The index of the first message, when the others follow it one by one; otherwise that of each. */
  readonly indexes: number | readonly number[]
}

/** What goes to one partition. */
export interface Share extends Numbered { readonly partition: string }

/** What becomes of the messages that go to no partition, and of those that go to several. */
export interface ShareListener {
  unrouted (index: number, error: StreamsError): void
  copied (index: number): void
}

/** Yields between two steps: how many bytes the copies take, as soon as that is known. */
export type Steps = Generator<number | undefined, Share[], undefined>

/** What goes to a partition, by its positions in the batch. */
interface Planned { readonly positions: number[], bytes: number }

// What is done in one step, in bytes that are copied. It takes about a millisecond.
const STEP_UNITS = 512 * 1024
const UNITS_OF_MESSAGE = 100

/** The index in its request of one of the messages. */
export function indexIn ({ indexes }: Pick<Numbered, 'indexes'>, position: number): number {
  return typeof indexes === 'number' ? indexes + position : indexes[position] ?? position
}

/**
 * Splits messages by where they go. A batch that goes to one partition as a whole is not copied.
 *
 * @param commonKey of the messages without a key of their own
 * @throws StreamsError `invalid_argument` when a message needs a key; nothing was told to the listener then
 */
export function sharesOf (
  messages: Numbered, commonKey: string | undefined, route: Route, listener: ShareListener
): Share[] {
  const steps = splitting(messages, commonKey, route, listener)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

/** As `sharesOf`, in steps that each have a bounded amount of work. */
export function * splitting (
  messages: Numbered, commonKey: string | undefined, route: Route, listener: ShareListener
): Steps {
  const { batch } = messages
  if (batch.count === 0) return []
  const common = batch.hasRoutingKeys ? undefined : route(commonKey, indexIn(messages, 0))
  if (isSole(common)) return common.map((partition) => ({ ...messages, partition }))
  const step = new Step()
  const targets: Targets[] = []
  for (let at = 0; at < batch.count; at++) {
    targets.push(common ?? route(batch.routingKeyOf(at) ?? commonKey, indexIn(messages, at)))
    if (step.isOver(UNITS_OF_MESSAGE)) yield
  }
  const planned = yield * plan(messages, targets, step, listener)
  const shares: Share[] = []
  for (const [partition, { positions, bytes }] of planned) {
    const copy = new MessageBatch(bytes)
    for (const at of positions) {
      copy.addCopy(batch, at)
      if (step.isOver(UNITS_OF_MESSAGE + batch.entryLength(at))) yield
    }
    shares.push({ partition, batch: copy, indexes: positions.map((at) => indexIn(messages, at)) })
  }
  return shares
}

// Tells the listener, and yields the bytes of the copies before they are made.
function * plan (
  messages: Numbered, targets: readonly Targets[], step: Step, listener: ShareListener
): Generator<number | undefined, ReadonlyMap<string, Planned>, undefined> {
  const { batch } = messages
  const planned = new Map<string, Planned>()
  let heldBytes = 0
  for (const [at, partitions] of targets.entries()) {
    const index = indexIn(messages, at)
    if (partitions instanceof StreamsError) {
      listener.unrouted(index, partitions)
      continue
    }
    if (partitions.length > 1) listener.copied(index)
    const bytes = batch.entryLength(at)
    for (const partition of partitions) {
      let share = planned.get(partition)
      if (share === undefined) planned.set(partition, share = { positions: [], bytes: 0 })
      share.positions.push(at)
      share.bytes += bytes
    }
    heldBytes += (bytes + MessageBatch.noteBytes) * partitions.length
    if (step.isOver(UNITS_OF_MESSAGE * partitions.length)) yield
  }
  yield heldBytes
  return planned
}

function isSole (targets: Targets | undefined): targets is readonly string[] {
  return targets !== undefined && !(targets instanceof StreamsError) && targets.length === 1
}

class Step {
  #left = STEP_UNITS

  /** Counts work. True when the step has had enough; the next one begins. */
  isOver (units: number): boolean {
    this.#left -= units
    if (this.#left > 0) return false
    this.#left = STEP_UNITS
    return true
  }
}
