import type { Definition } from '../definitions/definition.ts'
import type { RetryState } from '../delivery/delivery.ts'
import { keyedDelivery } from '../delivery/keyed-delivery.ts'
import { OrderedDelivery } from '../delivery/ordered-delivery.ts'
import { unorderedDelivery } from '../delivery/unordered-delivery.ts'
import type { WindowedDelivery } from '../delivery/windowed-delivery.ts'
import { ErrorStream } from '../errors/error-stream.ts'
import { publisherNameOf } from '../errors/publisher-name.ts'
import type { Course } from './course.ts'
import { keyReader } from './ordering-key.ts'
import type { PushMessage } from './push-message.ts'
import { RequestTraces } from './request-traces.ts'
import { Requests } from './requests.ts'
import { policyOf } from './retry-policy.ts'
import { Sender, type SenderOptions } from './sender.ts'
import type { WorkerTask } from './worker-options.ts'

/** What delivers the messages of a unit, in the order that its subscription has. */
export type UnitDelivery = OrderedDelivery<PushMessage> | WindowedDelivery<PushMessage>

export interface DeliveryParts extends Omit<SenderOptions, 'requests' | 'traces' | 'seat' | 'entries'> {
  readonly task: WorkerTask
  readonly course: Course
}

/** @param retry of the message that is delivered next. @throws UnsendableError */
export function makeDelivery (parts: DeliveryParts, retry: RetryState | undefined): UnitDelivery {
  const { task, course, shared } = parts
  const { definition } = task.subscription
  const { sealing, virtualHost, version, endpoints, spans } = shared
  const requests = new Requests({ task, sealing, virtualHost, stream: course.stream, version, endpoints })
  const traces = new RequestTraces(spans, course)
  const { progress, reporter, settled, stopping } = parts
  const sender = new Sender({
    shared, seat: task.seat, requests, traces, progress, reporter, entries: errorStreamOf(parts), settled, stopping
  })
  const policy = policyOf(definition)
  const { ordering, orderingKey, concurrency } = definition
  const batch = batchOf(course, definition)
  if (ordering === 'stream') return new OrderedDelivery(sender, policy, retry)
  const window = { concurrency, batch, bytesOf: ({ bytes }: PushMessage) => bytes.length }
  return ordering === 'none'
    ? unorderedDelivery(sender, policy, window, retry)
    : keyedDelivery(sender, policy, { ...window, keyOf: keyReader(orderingKey) }, retry)
}

/** What one request of a course may carry. */
export function batchOf ({ isMixed = false }: Course, { batch }: Definition): Definition['batch'] {
  return isMixed ? { ...batch, maxMessages: 1 } : batch
}

function errorStreamOf ({ task, course, shared, reporter }: DeliveryParts): ErrorStream {
  const { unit, subscription: { definition, generation } } = task
  const { key: { source, stream, subscription }, redrive } = unit
  return new ErrorStream({
    broker: shared.broker,
    errorStream: definition.errorStream,
    source: course.stream,
    owner: { subscription, superStream: source === 'superStream' ? stream : '' },
    redrive,
    publisher: definition.ordering === 'stream' ? publisherNameOf(unit, generation) : undefined,
    blocked: (reason) => {
      if (reason !== null) reporter.show('blocked', reason)
    },
    logger: shared.logger
  })
}
