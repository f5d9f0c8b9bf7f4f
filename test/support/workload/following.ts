import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { EventSource } from 'eventsource'
import { Agent, fetch, request } from 'undici'
import { field, HttpClient, type Target } from './http-client.ts'
import type { Tally } from './tally.ts'

export interface FollowingOptions {
  target: Target
  stream: string
  /** Gets every message that comes. */
  tally: Tally
  /** By an `EventSource`; or by lines, as a consumer whose offset the gateway stores. */
  by: 'events' | 'lines'
  /** How many messages the stream has. Settles when no more are published. */
  count: Promise<number>
  /** Ends the load at once. */
  abandon: AbortSignal
  /** Answers that cannot be true are entered here. */
  lies: string[]
}

// How long following continues when no more is published, ms: a stream that is not back by then is lost.
const LAST_MS = 120_000
const PAUSE_MS = 50
const BY_EVENTS = 'messages?errors=event'
const CONSUMER = 'live'
const BY_LINES = `consumers/${CONSUMER}/messages?follow=true&autoCommit=true`

/**
 * Follows a stream by a live read from the first message to the last one. A client that was cut, or refused for a
 * while, comes back with its last id: then nothing comes again.
 */
export async function followLoad ({ count, abandon, ...options }: FollowingOptions): Promise<void> {
  const follower = new Follower(options)
  const leaving = new AbortController()
  const signal = AbortSignal.any([leaving.signal, abandon])
  // Connections of its own, of which nothing is left.
  const dispatcher = new Agent({ bodyTimeout: 0 })
  const follow = options.by === 'events' ? followEvents : followLines
  const following = follow(follower, dispatcher, signal)
  const expected = await count.catch(() => 0)
  const endMs = performance.now() + LAST_MS
  // What does not come is found out by the audit.
  while (options.tally.seen < expected && performance.now() < endMs && !abandon.aborted) await delay(PAUSE_MS)
  leaving.abort()
  await following
  await dispatcher.destroy()
  if (options.by === 'lines' && !abandon.aborted) await follower.untilStored()
}

/** What a client knows that follows a stream. */
class Follower {
  readonly #options: Pick<FollowingOptions, 'target' | 'stream' | 'by' | 'tally' | 'lies'>
  #next = 0
  #last = -1

  constructor (options: Pick<FollowingOptions, 'target' | 'stream' | 'by' | 'tally' | 'lies'>) {
    this.#options = options
  }

  /** Where it continues. */
  get url (): string {
    const { target, stream, by } = this.#options
    const what = by === 'events' ? BY_EVENTS : BY_LINES
    return `${target.url}/v1/streams/${encodeURIComponent(stream)}/${what}&body=text&lastEventId=${this.#next}`
  }

  /** @param name undefined for a message */
  take (name: string | undefined, data: unknown): void {
    const { tally, lies } = this.#options
    if (name === 'gap') lies.push(`a live read has a gap though nothing was removed: ${JSON.stringify(data)}`)
    if (name === 'problem') this.refused(Number(field(data, 'status')), data)
    const place = Number(field(data, name === undefined ? 'offset' : 'nextOffset') ?? this.#next)
    if (place < this.#next) lies.push(`a live read has ${place} where ${this.#next} is the least that may come`)
    if (name !== undefined) return
    tally.add(String(field(data, 'body')))
    this.#last = place
    this.#next = Math.max(this.#next, place + 1)
  }

  /** The id of an event is where reading continues. */
  passed (id: number): void {
    if (id < this.#next) this.#options.lies.push(`a live read has the id ${id} after ${this.#next}`)
    this.#next = Math.max(this.#next, id)
  }

  /** A permission may come back, and what is retryable passes. Anything else is not true of a stream that is there. */
  refused (status: number, problem: unknown): void {
    if (status === 401 || status === 403 || status >= 500) return
    this.#options.lies.push(`a live read was refused with ${status} ${JSON.stringify(problem)}`)
  }

  /** What was taken last is stored when the client has gone. */
  async untilStored (): Promise<void> {
    const { target, stream, lies } = this.#options
    const client = new HttpClient(target)
    const path = `/v1/streams/${encodeURIComponent(stream)}/consumers/${CONSUMER}/offset`
    const endMs = performance.now() + LAST_MS
    for (let stored = -1; this.#last >= 0;) {
      const reply = await client.call('GET', path)
      if (reply.isAnswer && reply.status === 200) stored = Number(field(reply.json, 'storedOffset'))
      if (stored >= this.#last) break
      if (performance.now() > endMs) {
        lies.push(`of a live read up to ${this.#last} only ${stored} is stored`)
        break
      }
      await delay(PAUSE_MS)
    }
    await client.close()
  }
}

// An EventSource comes back by itself, unless the status is another than 200: a permission may come back too.
async function followEvents (follower: Follower, dispatcher: Agent, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const source = new EventSource(follower.url, {
      fetch: async (url, { headers, signal }) => await fetch(url, { headers, signal: signal ?? null, dispatcher })
    })
    const ended = new AbortController()
    source.onmessage = ({ data, lastEventId }) => {
      follower.take(undefined, JSON.parse(data))
      follower.passed(Number(lastEventId))
    }
    for (const name of ['state', 'gap', 'bye', 'problem']) {
      source.addEventListener(name, ({ data, lastEventId }) => {
        follower.take(name, JSON.parse(data))
        // A problem of a read that has not begun has no id.
        if (lastEventId !== '') follower.passed(Number(lastEventId))
      })
    }
    source.addEventListener('error', ({ code, message }) => {
      if (source.readyState !== source.CLOSED) return
      follower.refused(code ?? 0, message)
      ended.abort()
    })
    await aborted(AbortSignal.any([signal, ended.signal]))
    source.close()
    if (!signal.aborted) await delay(PAUSE_MS)
  }
}

async function followLines (follower: Follower, dispatcher: Agent, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const { statusCode, body } = await request(follower.url, { signal, dispatcher })
      if (statusCode !== 200) {
        follower.refused(statusCode, await body.text())
        await delay(PAUSE_MS)
        continue
      }
      let rest = ''
      for await (const text of body.setEncoding('utf8')) {
        const lines = (rest + String(text)).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) if (line !== '') takeLine(follower, JSON.parse(line))
      }
    } catch {
      // It was cut: half a line is left, which is worth nothing.
      await delay(PAUSE_MS)
    }
  }
}

function takeLine (follower: Follower, line: unknown): void {
  const [name = ''] = Object.keys(Object(line))
  if (name.startsWith('$')) follower.take(name.slice(1), field(line, name))
  else follower.take(undefined, line)
}

async function aborted (signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await once(signal, 'abort')
}
