import { setTimeout as delay } from 'node:timers/promises'
import { field, HttpClient, type Target } from './http-client.ts'
import type { Tally } from './tally.ts'

export interface Batch {
  messages: Array<{ offset: number, body: string }>
  nextOffset: number
  endOfStream: boolean
  hasGap: boolean
}

interface ReadingOptions {
  target: Target
  stream: string
  /** Gets every message that is delivered. */
  tally: Tally
  limit?: number
  /** After this signal the load reads on to the end of the stream. */
  stop: AbortSignal
  /** Ends the load at once. */
  abandon?: AbortSignal
  /** Answers that cannot be true are entered here. */
  lies: string[]
}

/** The most that a consumer takes before it commits. */
export const CONSUMED_AT_ONCE = 500

// How long reading continues after it was told to stop, ms: a stream that is not back by then is lost.
const LAST_READ_MS = 120_000

/** Reads from the first offset on, following `nextOffset`, until it was told to stop and is at the end. */
export async function readLoad (options: ReadingOptions): Promise<void> {
  const { target, stream, tally, limit = 1000, stop, abandon, lies } = options
  const path = `/v1/streams/${encodeURIComponent(stream)}/messages?limit=${limit}&body=text`
  let next = 0
  await poll({ target, stop, abandon }, async (client, isStopping) => {
    const batch = await read(client, `${path}&offset=${next}&wait=${isStopping ? 0 : 2}`)
    if (batch === undefined) return 'failed'
    let least = next
    for (const { offset, body } of batch.messages) {
      if (offset < least) lies.push(`a read from ${next} has ${offset} where ${least} is the least that may come`)
      least = Math.max(least, offset + 1)
      tally.add(body)
    }
    if (batch.nextOffset < least) {
      lies.push(`a read from ${next} up to ${least - 1} continues at ${batch.nextOffset}`)
    }
    if (batch.hasGap) lies.push(`a read from ${next} has a gap though nothing was removed`)
    next = batch.nextOffset
    return batch.endOfStream ? 'end' : 'more'
  })
}

export interface ConsumingOptions extends ReadingOptions {
  consumer: string
  /** How likely it is that the consumer forgets everything after a batch, as a killed consumer does: 0 to 1. */
  crashRate?: number
  random: () => number
}

/**
 * Consumes with commits: each poll commits the batch before. Now and then the consumer crashes, and begins again where
 * the stored offset says. What it sees again must be what no answer called committed: no more than one batch, in
 * however many polls it comes.
 */
export async function consumeLoad (options: ConsumingOptions): Promise<{ repeated: number, largestRepeat: number }> {
  const { target, stream, consumer, tally, limit = CONSUMED_AT_ONCE, crashRate = 0.05, random } = options
  const { stop, abandon, lies } = options
  const consumerPath = `/v1/streams/${encodeURIComponent(stream)}/consumers/${encodeURIComponent(consumer)}`
  const path = `${consumerPath}/messages?limit=${limit}&body=text`
  let commit: number | undefined
  let committed = -1
  let highest = -1
  let repeated = 0
  // Since the last crash, or the last new message.
  let again = 0
  let largestRepeat = 0
  await poll({ target, stop, abandon }, async (client, isStopping) => {
    const committing = commit
    const committingQuery = committing === undefined ? '' : `&commit=${committing}`
    const batch = await read(client, `${path}&wait=${isStopping ? 0 : 2}${committingQuery}`)
    if (batch === undefined) return 'failed'
    if (committing !== undefined) committed = Math.max(committed, committing)
    for (const { offset, body } of batch.messages) {
      // A stored offset of 0 resumes at 0, as the contract says.
      if (offset <= committed && committed > 0) lies.push(`offset ${offset} came after ${committed} was committed`)
      if (offset <= highest) {
        repeated++
        again++
        largestRepeat = Math.max(largestRepeat, again)
      } else {
        highest = offset
        again = 0
      }
      tally.add(body)
    }
    // Without a message there is nothing to commit. After a crash nothing is known.
    commit = batch.messages.at(-1)?.offset ?? commit
    if (!isStopping && random() < crashRate) {
      commit = undefined
      again = 0
    }
    return batch.endOfStream ? 'end' : 'more'
  })
  return { repeated, largestRepeat }
}

/** Reads the whole stream once. */
export async function readWhole (target: Target, stream: string, tally: Tally): Promise<void> {
  const lies: string[] = []
  await readLoad({ target, stream, tally, limit: 10_000, stop: AbortSignal.abort(), lies })
  if (lies.length > 0) throw new Error(lies.join('; '))
}

type Turn = (client: HttpClient, isStopping: boolean) => Promise<'failed' | 'more' | 'end'>
type Stops = Pick<ReadingOptions, 'target' | 'stop'> & { abandon: AbortSignal | undefined }

async function poll ({ target, stop, abandon }: Stops, turn: Turn): Promise<void> {
  const client = new HttpClient(target, abandon)
  let giveUpMs = Infinity
  try {
    while (abandon?.aborted !== true) {
      const isStopping = stop.aborted
      if (isStopping && giveUpMs === Infinity) giveUpMs = performance.now() + LAST_READ_MS
      if (performance.now() > giveUpMs) throw new Error('the stream could not be read to its end')
      const result = await turn(client, isStopping)
      if (result === 'failed') await delay(20)
      if (result === 'end' && isStopping) return
    }
  } finally {
    await client.close()
  }
}

/** One read. Undefined when the answer has no batch and another try is worth it. */
async function read (client: HttpClient, path: string): Promise<Batch | undefined> {
  const reply = await client.call('GET', path)
  if (!reply.isAnswer) return undefined
  if (reply.status !== 200) {
    // A permission may come back; an answer that cannot become right ends the load.
    if (field(reply.json, 'retryable') === true || reply.status === 403 || reply.status === 502) return undefined
    throw new Error(`GET ${path} answered ${reply.status} ${JSON.stringify(reply.json)}`)
  }
  const messages = field(reply.json, 'messages')
  return {
    messages: (Array.isArray(messages) ? messages : []).map((message) => {
      return { offset: Number(field(message, 'offset')), body: String(field(message, 'body')) }
    }),
    nextOffset: Number(field(reply.json, 'nextOffset')),
    endOfStream: field(reply.json, 'endOfStream') === true,
    hasGap: field(reply.json, 'gap') !== undefined
  }
}
