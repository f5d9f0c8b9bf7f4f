import { setTimeout as delay } from 'node:timers/promises'
import { field, HttpClient, type Reply, type Target } from './http-client.ts'
import type { Ledger } from './ledger.ts'

export interface PublishingOptions {
  target: Target
  stream: string
  ledger: Ledger
  /** Messages a request. */
  batch?: number
  /** Between two requests, ms. */
  pauseMs?: number
  /** Ends it after the request under way; a named publisher first finds out what became of its last batch. */
  stop: AbortSignal
}

// How long a named publisher goes on after it was told to stop, ms; what is not sure by then stays unknown.
const LAST_BATCH_MS = 120_000

/**
 * Publishes lines, one request after the other, and enters every answer into the ledger.
 *
 * Without a name nothing is sent twice. With a name a batch is sent again with the same ids until all of it is sure, as
 * a careful client does.
 */
export async function publishLoad ({ target, stream, ledger, batch = 50, pauseMs = 0, stop }: PublishingOptions): Promise<void> {
  const client = new HttpClient(target)
  const path = `/v1/streams/${encodeURIComponent(stream)}/messages/lines`
  try {
    while (!stop.aborted) {
      const first = ledger.take(batch)
      const body = Array.from({ length: batch }, (_, index) => `${ledger.bodyOf(first + index)}\n`).join('')
      if (ledger.isNamed) {
        await publishSurely(client, `${path}?publisher=${encodeURIComponent(ledger.publisher)}&firstPublishingId=${first + 1}`, { body, first, batch, ledger, stop })
      } else {
        const reply = await client.call('POST', path, { body, contentType: 'text/plain' })
        enter(ledger, first, batch, reply)
        if (!(reply.isAnswer && reply.status === 200)) await delay(20)
      }
      if (pauseMs > 0) await delay(pauseMs)
    }
  } finally {
    await client.close()
  }
}

interface Batch { body: string, first: number, batch: number, ledger: Ledger, stop: AbortSignal }

async function publishSurely (client: HttpClient, path: string, { body, first, batch, ledger, stop }: Batch): Promise<void> {
  let giveUpMs = Infinity
  let wasSent = false
  while (performance.now() < giveUpMs) {
    const reply = await client.call('POST', path, { body, contentType: 'text/plain' })
    const duplicates = reply.isAnswer ? Number(field(reply.json, 'duplicates') ?? 0) : 0
    if (duplicates > 0 && !wasSent) ledger.lies.push(`${duplicates} of the batch at ${first} were called duplicates, though it was never sent before`)
    if (reply.isAnswer && reply.status === 200) {
      const confirmed = Number(field(reply.json, 'confirmed'))
      if (confirmed + duplicates !== batch) ledger.lies.push(`${confirmed} confirmed and ${duplicates} duplicates are not ${batch}`)
      ledger.tellAll(first, batch, 'confirmed')
      return
    }
    // Whatever else was answered: part of it may be stored by now.
    wasSent ||= reply.isAnswer || reply.wasSent
    if (stop.aborted && giveUpMs === Infinity) giveUpMs = performance.now() + LAST_BATCH_MS
    await delay(20)
  }
}

/** What an answer says of each message of its request. */
function enter (ledger: Ledger, first: number, count: number, reply: Reply): void {
  if (!reply.isAnswer) {
    ledger.tellAll(first, count, reply.wasSent ? 'unknown' : 'failed')
    return
  }
  const { status, json } = reply
  const published = status === 200 || status === 207 ? json : field(json, 'published')
  if (published === undefined) {
    ledger.tellAll(first, count, field(json, 'sideEffects') === 'none' ? 'failed' : 'unknown')
    return
  }
  const confirmed = Number(field(published, 'confirmed'))
  const results = field(published, 'results')
  const failures = Array.isArray(results) ? results : []
  // An error in the middle of a body: what comes after it was not published.
  ledger.tellAll(first, confirmed + failures.length, 'confirmed')
  ledger.tellAll(first + confirmed + failures.length, count - confirmed - failures.length, 'failed')
  for (const failure of failures) {
    ledger.tell(first + Number(field(failure, 'index')), field(failure, 'status') === 'failed' ? 'failed' : 'unknown')
  }
  if (status < 300 && confirmed + failures.length !== count) ledger.lies.push(`an answer speaks of ${confirmed + failures.length} of ${count} messages`)
}
