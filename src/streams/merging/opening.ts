import { pause } from '../common/wait.ts'
import type { StreamsError } from '../errors.ts'
import type { FollowedPartition } from './followed-partition.ts'

// How long partitions that do not answer keep back the beginning, once another one has answered.
const PATIENCE_MS = 500

/**
 * Opens all partitions at the same time. Those that cannot be followed at the moment are left to themselves.
 *
 * @throws StreamsError when no partition can be followed, or one never will be; the signal's reason
 */
export async function openAll (parts: readonly FollowedPartition[], signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  let first: () => void = () => {}
  const someAreOpen = new Promise<void>((resolve) => { first = resolve })
  const all = Promise.all(parts.map(async (part) => {
    await part.open()
    if (part.failure === undefined) first()
  }))
  await Promise.race([all, someAreOpen.then(async () => { await pause(PATIENCE_MS, over.signal) })])
  over.abort()
  signal.throwIfAborted()
  const failures = parts.flatMap(({ failure }) => failure ?? [])
  const fatal = failures.find((failure) => isFinal(failure))
  if (fatal !== undefined) throw fatal
  if (failures[0] !== undefined && failures.length === parts.length) throw failures[0]
}

/** Whether no later try to follow a partition will change anything. */
export function isFinal (error: StreamsError): boolean {
  return error.code === 'draining' || (!error.retryable && error.code !== 'stream_not_found')
}
