import { waitUntil } from '../../streams/index.ts'
import type { PauseReason } from '../delivery/delivery.ts'
import type { OrderedDelivery } from '../delivery/ordered-delivery.ts'
import { MAX_RETRY_AFTER_MS } from '../delivery/retry.ts'
import type { WindowedDelivery } from '../delivery/windowed-delivery.ts'
import { gather } from './gather.ts'
import type { Amount } from './message-queue.ts'
import type { PushMessage } from './push-message.ts'
import type { Source } from './source.ts'

// A message that waits longer for its next try is read again, so that it takes no memory meanwhile.
const SHORT_WAIT_MS = 500
const MOST_HANDED = 64

/** Why it ends: it has to pause, or the course is over; undefined: it was stopped. */
export type DeliveryEnd = PauseReason | 'done' | undefined

export interface Run {
  readonly source: Source
  readonly amount: Amount & { readonly maxWaitMs: number }
  /** Nothing more is sent. */
  readonly stopping: AbortSignal
  /** What is in flight is given up. */
  readonly cutting: AbortSignal
  /** There is nothing to deliver at the moment. */
  readonly idle: () => void
  /** Lends the way to end a wait for the next try; undefined when it is over. */
  readonly waiting: (wake: (() => void) | undefined) => void
}

/** Delivers one request at a time. @throws StreamsError; what the delivery throws */
export async function runOrdered (run: Run, delivery: OrderedDelivery<PushMessage>): Promise<DeliveryEnd> {
  const { source, amount, stopping, cutting } = run
  while (!stopping.aborted) {
    const peeked = source.peek(amount, stopping)
    const messages = peeked instanceof Promise ? await peeked : peeked
    if (messages.length === 0) {
      if (source.isDone) return 'done'
      run.idle()
      await source.news(undefined, stopping)
      continue
    }
    const gathered = amount.maxWaitMs > 0 ? await gather(source, messages, amount, stopping) : messages
    const end = await delivery.try(gathered, cutting)
    if (end === 'later') await untilRetry(run, delivery.retry?.nextAttemptAt ?? 0)
    else if (end !== undefined) return end
  }
  return undefined
}

/** Delivers several requests at a time. @throws StreamsError; what the delivery throws */
export async function runWindowed (run: Run, delivery: WindowedDelivery<PushMessage>): Promise<DeliveryEnd> {
  const { source, stopping, cutting } = run
  const stop = (): void => { void delivery.stop() }
  stopping.addEventListener('abort', stop)
  const over = AbortSignal.any([stopping, delivery.over])
  try {
    while (!over.aborted) {
      const messages = await source.hand(MOST_HANDED, stopping)
      if (messages.length > 0) {
        const end = await delivery.deliver(messages, cutting)
        if (end !== undefined) return end
        continue
      }
      if (source.hasHandedAll) break
      if (source.isEmpty) run.idle()
      await source.news(undefined, over)
    }
    if (stopping.aborted) return undefined
    return await delivery.finish(cutting) ?? (source.isDone ? 'done' : undefined)
  } finally {
    stopping.removeEventListener('abort', stop)
    await delivery.stop()
  }
}

async function untilRetry ({ source, stopping, waiting }: Run, at: number): Promise<void> {
  const timeoutMs = Math.min(at - Date.now(), MAX_RETRY_AFTER_MS)
  if (timeoutMs > SHORT_WAIT_MS) source.rest()
  await waitUntil((done) => {
    waiting(done)
    return () => {}
  }, { timeoutMs, signal: stopping })
  waiting(undefined)
}
