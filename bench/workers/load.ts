import { decodeCursor } from '../../src/streams/merging/cursor.ts'
import { headerOf, HttpConnection, requestBytes, type Answer } from './http-connection.ts'
import { work, type Sample } from './worker.ts'

/** The same request again and again, to each path in turn. Each connection has one request in flight. */
export interface RepeatLoad {
  readonly kind: 'repeat'
  readonly port: number
  readonly connections: number
  readonly method: string
  readonly paths: readonly string[]
  readonly headers: Record<string, string>
  readonly body: string
  readonly status: number
  /** The body that every answer has to have; undefined: not checked. */
  readonly answer: string | undefined
  readonly messagesPerRequest: number
}

/**
 * Reads that follow `stream-next-offset`. Each connection reads by itself, and starts again at 0 after the end of the
 * stream.
 */
export interface FollowLoad {
  readonly kind: 'follow'
  readonly port: number
  /** Each gets one connection. A path has its query, except for the offset. */
  readonly paths: readonly string[]
  /** Bytes that one message takes in an answer; undefined: not checked. */
  readonly bytesPerMessage: number | undefined
}

/** Reads of a super stream that follow `stream-next-cursor`. Each connection reads by itself, and starts again. */
export interface MergedLoad {
  readonly kind: 'merged'
  readonly port: number
  readonly superStream: string
  /** The query without the cursor. */
  readonly query: string
  readonly connections: number
}

export type Load = RepeatLoad | FollowLoad | MergedLoad

await work<Load>(async (load) => {
  const connections: HttpConnection[] = []
  const count = load.kind === 'follow' ? load.paths.length : load.connections
  for (let opened = 0; opened < count; opened++) connections.push(await HttpConnection.open(load.port))
  const steps = connections.map((_, index) => {
    if (load.kind === 'merged') return merged(load)
    return load.kind === 'repeat' ? repeat(load, index) : follow(load, load.paths[index] ?? '')
  })
  return async (seconds) => await round(connections, steps, seconds)
})

/** What a connection does: the next request, and how many messages its answer has or confirms. */
interface Step {
  next (): Buffer
  /** @throws when the answer is not the expected one */
  count (answer: Answer): number
}

async function round (
  connections: readonly HttpConnection[], steps: readonly Step[], seconds: number
): Promise<Sample> {
  const startedMs = performance.now()
  const endMs = startedMs + seconds * 1000
  const latenciesMs: number[] = []
  let count = 0
  await Promise.all(connections.map(async (connection, index) => {
    const step = steps[index]
    if (step === undefined) return
    await new Promise<void>((resolve) => {
      let sentMs = 0
      const answered = (answer: Answer): void => {
        const nowMs = performance.now()
        latenciesMs.push(nowMs - sentMs)
        count += step.count(answer)
        if (nowMs < endMs) send()
        else resolve()
      }
      const send = (): void => {
        sentMs = performance.now()
        connection.send(step.next(), answered)
      }
      send()
    })
  }))
  return { count, seconds: (performance.now() - startedMs) / 1000, latenciesMs }
}

function repeat (
  { method, paths, headers, body, status, answer: expected, messagesPerRequest }: RepeatLoad, start: number
): Step {
  const requests = paths.map((path) => requestBytes(method, path, headers, body))
  let turn = start
  return {
    next: () => requests[turn++ % requests.length] ?? Buffer.alloc(0),
    count (answer) {
      if (answer.status !== status || (expected !== undefined && answer.text !== expected)) {
        throw new Error(`answered with ${answer.head}\n\n${answer.text}`)
      }
      return messagesPerRequest
    }
  }
}

function follow ({ bytesPerMessage }: FollowLoad, path: string): Step {
  let offset = 0
  return {
    next: () => requestBytes('GET', `${path}&offset=${offset}`),
    count (answer) {
      const next = Number(headerOf(answer, 'stream-next-offset') ?? NaN)
      if (answer.status !== 200 || Number.isNaN(next)) throw new Error(`answered with ${answer.head}\n\n${answer.text}`)
      // The streams have messages alone, no other records, so that offsets count messages.
      const count = next - offset
      if (bytesPerMessage !== undefined && answer.bodyBytes !== count * bytesPerMessage) {
        throw new Error(`${count} messages in ${answer.bodyBytes} bytes`)
      }
      offset = headerOf(answer, 'stream-end-of-stream') === 'true' ? 0 : next
      return count
    }
  }
}

function merged ({ superStream, query }: MergedLoad): Step {
  const path = `/v1/super-streams/${superStream}/messages?${query}`
  let cursor = ''
  let reached = 0
  return {
    next: () => requestBytes('GET', cursor === '' ? path : `${path}&cursor=${cursor}`),
    count (answer) {
      const next = headerOf(answer, 'stream-next-cursor')
      if (answer.status !== 200 || next === undefined) throw new Error(`answered with ${answer.head}\n\n${answer.text}`)
      // The partitions have messages alone, no other records, so that offsets count messages.
      const { places } = decodeCursor(superStream, next)
      const sum = places.reduce((total, { nextOffset }) => total + nextOffset, 0)
      const count = sum - reached
      const isEnd = headerOf(answer, 'stream-end-of-stream') === 'true'
      cursor = isEnd ? '' : next
      reached = isEnd ? 0 : sum
      return count
    }
  }
}
