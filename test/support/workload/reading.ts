import { setTimeout as delay } from 'node:timers/promises'
import { field, HttpClient, type Target } from './http-client.ts'
import type { Tally } from './tally.ts'

export interface Batch { messages: Array<{ offset: number, body: string }>, nextOffset: number, endOfStream: boolean, hasGap: boolean }

interface ReadingOptions {
  target: Target
  stream: string
  /** Gets every message that is delivered. */
  tally: Tally
  limit?: number
  /** After it the load reads on to the end of the stream. */
  stop: AbortSignal
  /** Answers that cannot be true are entered here. */
  lies: string[]
}

// How long reading goes on after it was told to stop, ms: a stream that is not back by then is lost.
const LAST_READ_MS = 120_000

/** Reads from the first offset on, following `nextOffset`, until it was told to stop and is at the end. */
export async function readLoad ({ target, stream, tally, limit = 1000, stop, lies }: ReadingOptions): Promise<void> {
  const path = `/v1/streams/${encodeURIComponent(stream)}/messages?limit=${limit}&body=text`
  let next = 0
  await poll(target, stop, async (client, isStopping) => {
    const batch = await read(client, `${path}&offset=${next}&wait=${isStopping ? 0 : 2}`)
    if (batch === undefined) return 'failed'
    const [from] = batch.messages
    if (from !== undefined && from.offset < next) lies.push(`a read from ${next} began at ${from.offset}`)
    if (batch.nextOffset < next) lies.push(`a read from ${next} goes on at ${batch.nextOffset}`)
    if (batch.hasGap) lies.push(`a read from ${next} has a gap though nothing was removed`)
    for (const { body } of batch.messages) tally.add(body)
    next = batch.nextOffset
    return batch.endOfStream ? 'end' : 'more'
  })
}

export interface ConsumingOptions extends ReadingOptions {
  consumer: string
  /** How likely it is that the consumer forgets everything after a batch, as one that was killed: 0 to 1. */
  crashRate?: number
  random: () => number
}

/**
 * Consumes with commits: each poll commits the batch before. Now and then it crashes, and begins again where the stored
 * offset says. What it sees again must be what no answer said to be committed.
 */
export async function consumeLoad ({ target, stream, consumer, tally, limit = 500, crashRate = 0.05, random, stop, lies }: ConsumingOptions): Promise<{ repeated: number, largestRepeat: number }> {
  const path = `/v1/streams/${encodeURIComponent(stream)}/consumers/${encodeURIComponent(consumer)}/messages?limit=${limit}&body=text`
  let commit: number | undefined
  let committed = -1
  let highest = -1
  let repeated = 0
  let largestRepeat = 0
  await poll(target, stop, async (client, isStopping) => {
    const committing = commit
    const batch = await read(client, `${path}&wait=${isStopping ? 0 : 2}${committing === undefined ? '' : `&commit=${committing}`}`)
    if (batch === undefined) return 'failed'
    if (committing !== undefined) committed = Math.max(committed, committing)
    let again = 0
    for (const { offset, body } of batch.messages) {
      // A stored 0 resumes at 0: the contract says so.
      if (offset <= committed && committed > 0) lies.push(`offset ${offset} came after ${committed} was committed`)
      if (offset <= highest) again++
      else if (offset > highest) highest = offset
      tally.add(body)
    }
    repeated += again
    largestRepeat = Math.max(largestRepeat, again)
    // Without a message there is nothing to commit; after a crash nothing is known.
    commit = batch.messages.at(-1)?.offset ?? commit
    if (!isStopping && random() < crashRate) commit = undefined
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

async function poll (target: Target, stop: AbortSignal, turn: (client: HttpClient, isStopping: boolean) => Promise<'failed' | 'more' | 'end'>): Promise<void> {
  const client = new HttpClient(target)
  let giveUpMs = Infinity
  try {
    for (;;) {
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

/** One read; undefined when there was no batch in the answer and it is worth another try. */
async function read (client: HttpClient, path: string): Promise<Batch | undefined> {
  const reply = await client.call('GET', path)
  if (!reply.isAnswer) return undefined
  if (reply.status !== 200) {
    // The permission may come back; what cannot be right again ends the load.
    if (field(reply.json, 'retryable') === true || reply.status === 403 || reply.status === 502) return undefined
    throw new Error(`GET ${path} answered ${reply.status} ${JSON.stringify(reply.json)}`)
  }
  const messages = field(reply.json, 'messages')
  return {
    messages: (Array.isArray(messages) ? messages : []).map((message) => ({ offset: Number(field(message, 'offset')), body: String(field(message, 'body')) })),
    nextOffset: Number(field(reply.json, 'nextOffset')),
    endOfStream: field(reply.json, 'endOfStream') === true,
    hasGap: field(reply.json, 'gap') !== undefined
  }
}
