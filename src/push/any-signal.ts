/**
 * Does some work with a signal that aborts when one of the others does. It leaves nothing at them: with
 * `AbortSignal.any` a signal that lives long remembers each one that was made of it (Node.js 20).
 *
 * @throws what the work throws
 */
export async function withAnySignal<T> (
  signals: readonly AbortSignal[], work: (signal: AbortSignal) => Promise<T>
): Promise<T> {
  const any = new AbortController()
  const abort = (): void => { any.abort(signals.find(({ aborted }) => aborted)?.reason) }
  for (const signal of signals) signal.addEventListener('abort', abort)
  if (signals.some(({ aborted }) => aborted)) abort()
  try {
    return await work(any.signal)
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', abort)
  }
}
