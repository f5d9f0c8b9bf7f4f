import { field, type Reply } from './http-client.ts'
import type { Outcome } from './ledger.ts'

/** What an answer to a publish says of its messages. */
export interface Told {
  /** The outcome of each message, in the order of the request. */
  outcomes: Outcome[]
  /** How many of them are reported as stored already. */
  duplicates: number
  /** What cannot be true, whatever is stored. */
  lies: string[]
}

/** Reads the answer to a publish of `count` messages. */
export function toldBy (reply: Reply, count: number): Told {
  if (!reply.isAnswer) return all(count, reply.wasSent ? 'unknown' : 'failed')
  const { status, json } = reply
  const isDone = status === 200 || status === 207
  const published = isDone ? json : field(json, 'published')
  const isWithoutEffects = field(json, 'sideEffects') === 'none'
  if (published === undefined) return all(count, isWithoutEffects ? 'failed' : 'unknown')

  const figure = (name: string): number => Number(field(published, name) ?? 0)
  const [confirmed, duplicates, doubted] = [figure('confirmed'), figure('duplicates'), figure('unknown')]
  const results = field(published, 'results')
  const failures = (Array.isArray(results) ? results : []).map(failureOf)
  const reached = confirmed + duplicates + doubted + failures.length
  // After an error in the middle of a body, the messages behind it were not published.
  const outcomes = Array.from({ length: count }, (_, index): Outcome => {
    if (index >= reached) return 'failed'
    return doubted > 0 ? 'unknown' : 'confirmed'
  })
  for (const { index, outcome } of failures) outcomes[index] = outcome

  const lies: string[] = []
  const hasEffects = confirmed + doubted > 0 || failures.some(({ outcome }) => outcome === 'unknown')
  const isMiscounted = isDone ? reached !== count : reached > count
  if (isMiscounted) lies.push(`an answer ${status} speaks of ${reached} of ${count} messages`)
  if (status === 200 && failures.length + doubted > 0) lies.push('an answer 200 has failures')
  if (isWithoutEffects && hasEffects) {
    lies.push(`an answer ${status} without side effects has confirmed or unknown messages`)
  }
  return { outcomes, duplicates, lies }
}

/** What two attempts together say of a message. What one of them may have stored stays so, whatever the next says. */
export function together (before: Outcome, now: Outcome): Outcome {
  if (before === 'confirmed' || now === 'confirmed') return 'confirmed'
  return before === 'unknown' || now === 'unknown' ? 'unknown' : 'failed'
}

function failureOf (result: unknown): { index: number, outcome: 'failed' | 'unknown' } {
  const outcome = field(result, 'status') === 'failed' ? 'failed' : 'unknown'
  return { index: Number(field(result, 'index')), outcome }
}

function all (count: number, outcome: Outcome): Told {
  return { outcomes: Array.from({ length: count }, () => outcome), duplicates: 0, lies: [] }
}
