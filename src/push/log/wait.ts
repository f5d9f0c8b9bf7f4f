import { setTimeout as delay } from 'node:timers/promises'

/** Pauses. An abort ends the pause early and is not an error. */
export async function pause (ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {})
}

/** What the promise resolves to; undefined when the signal aborts before. The promise runs on then. */
export async function unlessAborted<T> (promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return await new Promise<T | undefined>((resolve, reject) => {
    const end = (): void => { resolve(undefined) }
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
    promise.then(resolve, reject).finally(() => { signal.removeEventListener('abort', end) })
  })
}
