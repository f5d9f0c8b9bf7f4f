import type { Amount } from './message-queue.ts'
import type { PushMessage } from './push-message.ts'
import type { Source } from './source.ts'

/**
 * Waits until a request would be full, or the time is over.
 *
 * @param messages those at hand, at least one
 */
export async function gather (
  source: Source, messages: readonly PushMessage[], amount: Amount & { readonly maxWaitMs: number },
  signal: AbortSignal
): Promise<readonly PushMessage[]> {
  const untilMs = performance.now() + amount.maxWaitMs
  let gathered = messages
  while (gathered.length < amount.maxMessages && source.beyond(gathered.length) === 0 && !signal.aborted) {
    const leftMs = untilMs - performance.now()
    if (leftMs <= 0) break
    await source.news(leftMs, signal)
    gathered = await source.peek(amount, signal)
  }
  return gathered
}
