import { setTimeout as delay } from 'node:timers/promises'

type Answer<T> = T | false | undefined

/** Asks until the answer is neither false nor undefined, and returns that. @throws when it takes too long */
export async function until<T> (
  what: string,
  ask: () => Answer<T> | Promise<Answer<T>>,
  timeoutMs = 30_000
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`in vain for ${timeoutMs} ms: ${what}`)
    await delay(10)
  }
}
