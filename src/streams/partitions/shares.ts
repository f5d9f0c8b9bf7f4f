import { StreamsError } from '../errors.ts'
import { MessageBatch } from '../message-batch.ts'
import type { Route } from './routing.ts'

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
  const { batch } = messages
  if (batch.count === 0) return []
  if (batch.hasRoutingKeys) return splitByKeys(messages, commonKey, route, listener)
  const targets = route(commonKey, indexIn(messages, 0))
  if (targets instanceof StreamsError) {
    for (let at = 0; at < batch.count; at++) listener.unrouted(indexIn(messages, at), targets)
    return []
  }
  if (targets.length > 1) {
    for (let at = 0; at < batch.count; at++) listener.copied(indexIn(messages, at))
  }
  // Each partition numbers its messages in place.
  return targets.map((partition, at) => ({ ...messages, partition, batch: at === 0 ? batch : copyOf(batch) }))
}

function splitByKeys (
  messages: Numbered, commonKey: string | undefined, route: Route, listener: ShareListener
): Share[] {
  const { batch } = messages
  const targets = Array.from({ length: batch.count }, (_, at) => {
    return route(batch.routingKeyOf(at) ?? commonKey, indexIn(messages, at))
  })
  const shares = new Map<string, { batch: MessageBatch, indexes: number[] }>()
  for (const [at, partitions] of targets.entries()) {
    const index = indexIn(messages, at)
    if (partitions instanceof StreamsError) {
      listener.unrouted(index, partitions)
      continue
    }
    if (partitions.length > 1) listener.copied(index)
    for (const partition of partitions) {
      let share = shares.get(partition)
      if (share === undefined) shares.set(partition, share = { batch: new MessageBatch(), indexes: [] })
      share.batch.addCopy(batch, at)
      share.indexes.push(index)
    }
  }
  return [...shares].map(([partition, share]) => ({ partition, ...share }))
}

function copyOf (batch: MessageBatch): MessageBatch {
  const copy = new MessageBatch(batch.byteLength)
  for (let at = 0; at < batch.count; at++) copy.addCopy(batch, at)
  return copy
}
