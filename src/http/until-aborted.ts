/**
 * What the source yields, until the signal aborts: then its reason is thrown at once, also while the source is silent.
 */
export async function * untilAborted<T> (source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]()
  let leave: (reason: unknown) => void = () => {}
  const abort = (): void => { leave(signal.reason) }
  signal.addEventListener('abort', abort, { once: true })
  try {
    while (true) {
      // Not a race with one promise for the abort: that would keep something of each chunk until the end.
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        leave = reject
        if (signal.aborted) reject(signal.reason)
        else iterator.next().then(resolve, reject)
      })
      if (next.done === true) return
      yield next.value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // Not awaited: a silent source ends with its next piece.
    iterator.return?.().catch(() => {})
  }
}
