import { setTimeout as delay } from 'node:timers/promises'

/** Asks again and again until the answer is neither false nor undefined, and returns it. @throws when that takes too long */
export async function until<T> (what: string, ask: () => T | false | undefined | Promise<T | false | undefined>, timeoutMs = 30_000): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== false && answer !== undefined) return answer
    if (performance.now() > deadline) throw new Error(`in vain for ${timeoutMs} ms: ${what}`)
    await delay(10)
  }
}
