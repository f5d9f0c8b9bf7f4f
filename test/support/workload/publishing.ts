import { setTimeout as delay } from 'node:timers/promises'
import { together, toldBy } from './answers.ts'
import { HttpClient, type Target } from './http-client.ts'
import type { Ledger, Outcome } from './ledger.ts'

export interface PublishingOptions {
  target: Target
  stream: string
  ledger: Ledger
  /** Ends the load after this many requests. */
  requests?: number
  /** The pause between two requests, ms. */
  pauseMs?: number
  /** Ends the load after the request under way; a named publisher first finds out what became of its last batch. */
  stop: AbortSignal
  /** Ends the load at once. */
  abandon?: AbortSignal
}

// How long a named publisher continues after it was told to stop, ms. What is not sure by then stays unknown.
const LAST_BATCH_MS = 120_000

/**
 * Publishes lines, one request after the other, and enters every answer into the ledger.
 *
 * Without a name nothing is sent twice. With a name a batch is sent again with the same ids until all of it is sure, as
 * a careful client does.
 */
export async function publishLoad (options: PublishingOptions): Promise<void> {
  const { target, stream, ledger, requests = Infinity, pauseMs = 0, stop, abandon } = options
  const client = new HttpClient(target, abandon)
  const path = `/v1/streams/${encodeURIComponent(stream)}/messages/lines`
  try {
    for (let request = 0; request < requests && !stop.aborted; request++) {
      const batch = new Batch(client, ledger)
      if (ledger.isNamed) {
        const name = encodeURIComponent(ledger.publisher)
        const named = `${path}?publisher=${name}&firstPublishingId=${batch.first + 1}`
        await publishSurely(batch, named, stop, abandon)
      } else if (!await batch.send(path)) {
        await delay(20)
      }
      if (pauseMs > 0) await delay(pauseMs)
    }
  } finally {
    await client.close()
  }
}

async function publishSurely (
  batch: Batch,
  path: string,
  stop: AbortSignal,
  abandon: AbortSignal | undefined
): Promise<void> {
  let giveUpMs = Infinity
  while (performance.now() < giveUpMs && abandon?.aborted !== true) {
    if (await batch.send(path)) return
    if (stop.aborted && giveUpMs === Infinity) giveUpMs = performance.now() + LAST_BATCH_MS
    await delay(20)
  }
}

/** The messages of one request, however often it is sent. */
class Batch {
  readonly first: number
  readonly #client: HttpClient
  readonly #ledger: Ledger
  readonly #body: string
  // Before the batch is sent, nothing of it is stored.
  #outcomes: Outcome[]

  constructor (client: HttpClient, ledger: Ledger) {
    this.first = ledger.take()
    this.#client = client
    this.#ledger = ledger
    this.#outcomes = Array.from({ length: ledger.batch }, () => 'failed')
    this.#body = this.#outcomes.map((_, index) => `${ledger.bodyOf(this.first + index)}\n`).join('')
  }

  /** Sends the batch once and enters what was told. @returns whether all of it is stored for sure */
  async send (path: string): Promise<boolean> {
    const reply = await this.#client.call('POST', path, { body: this.#body, contentType: 'text/plain' })
    const { outcomes, duplicates, lies } = toldBy(reply, this.#ledger.batch)
    // A message that every answer so far reported as not stored cannot be a duplicate.
    const possible = this.#outcomes.filter((outcome) => outcome !== 'failed').length
    if (duplicates > possible) {
      lies.push(`${duplicates} are called duplicates, though only ${possible} may have been stored before`)
    }
    this.#ledger.lies.push(...lies.map((lie) => `${lie}: the request at ${this.#ledger.bodyOf(this.first)}`))
    this.#outcomes = this.#outcomes.map((before, index) => together(before, outcomes[index] ?? 'unknown'))
    this.#outcomes.forEach((outcome, index) => { this.#ledger.tell(this.first + index, outcome) })
    return reply.isAnswer && reply.status === 200
  }
}
