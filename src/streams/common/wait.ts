/** How long to wait at most. */
export interface WaitBounds {
  /** Undefined: as long as it takes. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** How a wait has ended. */
export type WaitEnd = 'done' | 'late' | 'aborted'

/**
 * Waits until `done` is called, the time is over or the signal aborts, whichever is first.
 *
 * @param begin passes `done` on to its caller, and returns how to withdraw it. That is called when the wait ends in
 *   another way, in the same turn of the event loop, so that an ended wait is not counted as waiting
 */
export async function waitUntil (
  begin: (done: () => void) => () => void, { timeoutMs, signal }: WaitBounds
): Promise<WaitEnd> {
  if (signal?.aborted === true) return 'aborted'
  return await new Promise((resolve) => {
    const settle = (end: WaitEnd): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      resolve(end)
    }
    const abort = (): void => {
      takeBack()
      settle('aborted')
    }
    const expire = (): void => {
      takeBack()
      settle('late')
    }
    const timer = timeoutMs === undefined ? undefined : setTimeout(expire, timeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    const takeBack = begin(() => { settle('done') })
  })
}

/** Pauses. An abort ends the pause early and is not an error: the caller looks at its signal. */
export async function pause (timeoutMs: number, signal?: AbortSignal): Promise<void> {
  await waitUntil(() => () => {}, { timeoutMs, signal })
}

/**
 * What the promise resolves to, or undefined when the time is over or the signal aborts first. The promise runs on, and
 * a later rejection is ignored.
 *
 * @throws what the promise rejects with, in time
 */
export async function within<T> (promise: Promise<T>, bounds: WaitBounds): Promise<T | undefined> {
  const settled = promise.then((value) => ({ value }), (error: unknown) => ({ error }))
  let outcome: Awaited<typeof settled> | undefined
  await waitUntil((done) => {
    void settled.then((result) => {
      outcome = result
      done()
    })
    return () => {}
  }, bounds)
  if (outcome === undefined) return undefined
  if ('error' in outcome) throw outcome.error
  return outcome.value
}
