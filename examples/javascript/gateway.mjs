// What every example needs: one HTTP call with a bounded retry, and the publish and consume loops on top of it.

import { setTimeout as pause } from 'node:timers/promises'

const gatewayUrl = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8080'
const attempts = 5

/** An answer of the gateway that is an error: application/problem+json. */
export class Problem extends Error {
  constructor (response, problem) {
    super(`${response.status} ${problem.code}: ${problem.detail}`)
    this.status = response.status
    this.code = problem.code
    this.retryable = problem.retryable
    this.sideEffects = problem.sideEffects
    this.retryAfter = Number(response.headers.get('retry-after') ?? 1)
  }
}

/**
 * One request. It is sent again, a few times, when the gateway says that this can help (`retryable`) and that nothing has
 * happened yet (`sideEffects` is "none"), or when the request may safely happen twice.
 *
 * 503: wait as long as Retry-After says. 504: the outcome is unknown, so only a repeatable request is sent again.
 */
export async function call (method, path, body, { isRepeatable = true } = {}) {
  for (let attempt = 1; ; attempt++) {
    let seconds = 1
    try {
      return await callOnce(method, path, body)
    } catch (error) {
      // Without an answer (refused, or broken off) what happened is as unknown as after a 504.
      const mayRepeat = error instanceof Problem
        ? error.retryable && (error.sideEffects === 'none' || isRepeatable)
        : isRepeatable
      if (!mayRepeat || attempt === attempts) throw error
      if (error instanceof Problem) seconds = error.retryAfter
    }
    console.log(`trying again in ${seconds} s (${attempt} of ${attempts})`)
    await pause(seconds * 1000)
  }
}

async function callOnce (method, path, body) {
  const response = await fetch(gatewayUrl + path, {
    method,
    headers: { 'content-type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
    signal: AbortSignal.timeout(90_000)
  })
  if (response.ok) return await response.json()
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json')
  // Not the gateway's word: a proxy on the way answered. Whatever it was, it may have happened.
  const unknown = { code: 'unknown', detail: response.statusText, retryable: response.status >= 502, sideEffects: 'possible' }
  throw new Problem(response, isProblem ? await response.json() : unknown)
}

/** Creating a stream that exists is not an error. */
export async function createStream (stream) {
  await call('PUT', streamPath(stream), {})
}

/** Where a publisher name stands; 0 for a new one. */
export async function lastPublishingId (stream, publisher) {
  const answer = await call('GET', `${streamPath(stream)}/publishers/${encodeURIComponent(publisher)}`)
  return answer.lastPublishingId
}

/**
 * Publishes messages, each with a publishingId, under a publisher name. That makes the request repeatable: what the broker
 * has already is counted as a duplicate and not stored again.
 */
export async function publish (stream, publisher, messages) {
  let answer
  for (let attempt = 1; attempt <= attempts; attempt++) {
    answer = await call('POST', `${streamPath(stream)}/messages?${new URLSearchParams({ publisher })}`, { messages })
    if (answer.results === undefined) return answer
    // 207: some are stored, some are not, or not for sure. The same ids again complete them.
    await pause(1000)
  }
  throw new Error(`not everything could be published: ${JSON.stringify(answer.results.slice(0, 3))}`)
}

/**
 * Calls handle(message) for every message, from where this consumer stopped last time, up to the end of the stream.
 *
 * The offset of the last message that was handled goes along with the next poll (`commit`), the last one with the poll that
 * comes back empty. If this program dies, what was handled but not committed comes again. A service would add a `wait` to
 * the query and never leave the loop.
 */
export async function consume (stream, consumer, handle) {
  const path = `${streamPath(stream)}/consumers/${encodeURIComponent(consumer)}`
  let handled
  let committed
  for (;;) {
    const query = new URLSearchParams({ limit: '4' })
    // A commit is written into the stream, so it is sent only when there is something new to say.
    if (handled !== committed) query.set('commit', String(handled))
    const batch = await call('GET', `${path}/messages?${query}`)
    committed = handled
    if (batch.gap !== undefined) console.log(`retention has removed offsets ${batch.gap.from} to ${batch.gap.to}`)
    for (const message of batch.messages) {
      await handle(message)
      handled = message.offset
    }
    if (batch.endOfStream && batch.messages.length === 0) return
  }
}

/**
 * Copies a message that cannot be processed to `<stream>_errors`: the body byte for byte, and beside it what went wrong.
 *
 * The source offset is the publishing id. If the program dies between this and the commit, the message comes again, fails
 * again, and is a duplicate here.
 */
export async function sendToErrorStream (stream, consumer, { offset }, error) {
  const original = await call('GET', `${streamPath(stream)}/messages/${offset}?body=base64`)
  await createStream(`${stream}_errors`)
  await publish(`${stream}_errors`, `${consumer}@${stream}`, [{
    ...original,
    applicationProperties: {
      ...original.applicationProperties,
      'error-text': error.message,
      'error-stream': stream,
      'error-offset': String(offset),
      'error-time': new Date().toISOString()
    },
    publishingId: offset
  }])
}

function streamPath (stream) {
  return `/v1/streams/${encodeURIComponent(stream)}`
}
