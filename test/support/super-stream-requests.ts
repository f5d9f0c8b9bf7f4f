import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import type { Answer, Gateway } from './gateway.ts'
import { list, record } from './schema-values.ts'
import { newSuperStream } from './super-streams.ts'

/** A message of an answer to a read of a super stream. */
export interface PartitionMessage { readonly partition: string, readonly offset: number, readonly body: unknown }

/** A super stream with these partitions, whose names end so. */
export async function superStreamOf (t: Test, ...suffixes: readonly string[]): Promise<string> {
  const name = `orders-${randomUUID().slice(0, 8)}`
  await newSuperStream(t, name, suffixes.map((suffix) => `${name}-${suffix}`))
  return name
}

/** The messages of an answer. */
export function messagesOf (answer: Answer): PartitionMessage[] {
  return list(record(answer.json)['messages']).map((message) => {
    const { partition, offset, body } = record(message)
    return { partition: String(partition), offset: Number(offset), body }
  })
}

/** `nextCursor` of an answer. */
export function cursorOf (answer: Answer): string {
  return String(record(answer.json)['nextCursor'])
}

/**
 * Reads a super stream from a position to its end, page by page.
 *
 * @param query of every page
 */
export async function readToEnd (
  gateway: Gateway, superStream: string, query: () => string, start = ''
): Promise<{ messages: PartitionMessage[], cursor: string, pages: number }> {
  const messages: PartitionMessage[] = []
  let from = start
  for (let pages = 1; pages < 2000; pages++) {
    const answer = await gateway.get(`/v1/super-streams/${superStream}/messages?${query()}${from}`)
    if (answer.status !== 200) throw new Error(`the read answered ${answer.status}: ${answer.text}`)
    messages.push(...messagesOf(answer))
    from = `&cursor=${cursorOf(answer)}`
    if (record(answer.json)['endOfStream'] === true) return { messages, cursor: cursorOf(answer), pages }
  }
  throw new Error('the read does not come to an end')
}
