import { fieldText, PROPERTY_INDEX, type TextField } from '../../streams/index.ts'
import { policyOf, type Definition } from '../definitions/definition.ts'
import { isExhausted, type RetryState } from '../delivery/delivery.ts'
import { keyedDelivery } from '../delivery/keyed-delivery.ts'
import { OrderedDelivery } from '../delivery/ordered-delivery.ts'
import { unorderedDelivery } from '../delivery/unordered-delivery.ts'
import { OrderedRun } from './ordered-run.ts'
import type { PushMessage } from './push-message.ts'
import type { Run, RunOptions } from './run.ts'
import type { Sender } from './sender.ts'
import type { Amount } from './message-queue.ts'
import { windowAmount, WindowedRun } from './windowed-run.ts'

const APPLICATION_PROPERTY = 'applicationProperties.'

/** How much of a stream is read in advance. */
export function amountOf ({ ordering, batch, concurrency }: Definition): Amount {
  return ordering === 'stream' ? batch : windowAmount(batch, concurrency)
}

/**
 * The run of a definition.
 *
 * @param retry what the owner before knew of the message that is delivered next
 */
export function makeRun (
  definition: Definition, sender: Sender, retry: RetryState | undefined,
  others: Pick<RunOptions, 'reporter' | 'stopping' | 'cutting'>
): Run {
  const { ordering, orderingKey, concurrency, batch } = definition
  const options = { amount: amountOf(definition), maxWaitMs: batch.maxWaitMs, ...others }
  const policy = policyOf(definition)
  const known = retry === undefined || isExhausted(retry, policy) ? undefined : retry
  if (ordering === 'stream') return new OrderedRun(new OrderedDelivery(sender, policy, known), options)
  const bytesOf = ({ bytes }: PushMessage): number => bytes.length
  const keyOf = keyReader(orderingKey ?? '')
  return new WindowedRun((first) => ordering === 'key'
    ? keyedDelivery(sender, policy, { concurrency, batch, bytesOf, keyOf }, first)
    : unorderedDelivery(sender, policy, { concurrency, batch, bytesOf }, first), known, options)
}

/** Reads the ordering key of messages. Records that cannot be told apart have none. */
export function keyReader (orderingKey: string): (message: PushMessage) => string | undefined {
  const field = fieldOf(orderingKey)
  return ({ bytes, place: { kind } }) => {
    if (kind === 'unreadable') return undefined
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    return fieldText(buffer, 0, buffer.length, field)
  }
}

function fieldOf (orderingKey: string): TextField {
  if (orderingKey === 'properties.groupId') return { in: 'properties', index: PROPERTY_INDEX.groupId }
  if (orderingKey === 'properties.subject') return { in: 'properties', index: PROPERTY_INDEX.subject }
  return { in: 'applicationProperties', key: Buffer.from(orderingKey.slice(APPLICATION_PROPERTY.length)) }
}
