// What every example needs: one HTTP call with a bounded retry, and the publish and consume loops on top of it.

import { setTimeout as pause } from 'node:timers/promises'

const gatewayUrl = process.env.GATEWAY_URL ?? 'http://127.0.0.1:8080'
const attempts = 5

/** An error answer of the gateway: application/problem+json. */
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
 * Sends a request, and sends it again a few times when the gateway says that this can help (`retryable`) and either
 * nothing has happened yet (`sideEffects` is "none") or the request may safely happen twice.
 *
 * 503: waits for the time in Retry-After. 504: the outcome is unknown, so only a repeatable request is sent again.
 */
export async function call (method, path, body, { isRepeatable = true } = {}) {
  for (let attempt = 1; ; attempt++) {
    let seconds = 1
    try {
      return await callOnce(method, path, body)
    } catch (error) {
      // Without an answer (the connection was refused or broken) the outcome is unknown, as after a 504.
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
  // A proxy answered, not the gateway. The request may have reached the gateway and had an effect.
  const unknown = {
    code: 'unknown', detail: response.statusText, retryable: response.status >= 502, sideEffects: 'possible'
  }
  throw new Problem(response, isProblem ? await response.json() : unknown)
}

/** Creates a stream. Creating one that exists is not an error. */
export async function createStream (stream) {
  await call('PUT', streamPath(stream), {})
}

/** The last publishing id of a publisher name; 0 for a new name. */
export async function lastPublishingId (stream, publisher) {
  const answer = await call('GET', `${streamPath(stream)}/publishers/${encodeURIComponent(publisher)}`)
  return answer.lastPublishingId
}

/**
 * Publishes messages, each with a publishingId, under a publisher name. That makes the request repeatable: a message
 * that the broker has already is counted as a duplicate and not stored again.
 */
export async function publish (stream, publisher, messages) {
  let answer
  for (let attempt = 1; attempt <= attempts; attempt++) {
    answer = await call('POST', `${streamPath(stream)}/messages?${new URLSearchParams({ publisher })}`, { messages })
    if (answer.results === undefined) return answer
    // 207: some messages failed, or their outcome is unknown. Sending the same ids again completes the request.
    await pause(1000)
  }
  throw new Error(`not everything could be published: ${JSON.stringify(answer.results.slice(0, 3))}`)
}

/**
 * Calls handle(message) for every message, from where this consumer stopped last time, up to the end of the stream.
 *
 * Each poll stores that the batch before it is handled: it passes that batch's `commitOffset` as `commit`. The poll
 * that returns no messages stores the last one. If this program dies, the messages after the stored offset come again.
 * A service would add a `wait` to the query and never leave the loop.
 *
 * Started twice under one name, two programs handle the same messages until one of them is behind: its commit is
 * refused, and it goes on where the other one is.
 */
export async function consume (stream, consumer, handle) {
  const path = `${streamPath(stream)}/consumers/${encodeURIComponent(consumer)}`
  let commit = null
  for (;;) {
    const query = new URLSearchParams({ limit: '4' })
    // Each stored offset is written into the stream. `commitOffset` is null when there is nothing new to store.
    if (commit !== null) query.set('commit', String(commit))
    let batch
    try {
      batch = await call('GET', `${path}/messages?${query}`)
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'offset_goes_back') throw error
      console.log('another program of this name is ahead: continuing where it is')
      commit = null
      continue
    }
    commit = batch.commitOffset
    if (batch.gap !== undefined) console.log(`retention has removed offsets ${batch.gap.from} to ${batch.gap.to}`)
    for (const message of batch.messages) await handle(message)
    if (batch.endOfStream && batch.messages.length === 0) return
  }
}

/**
 * Copies a message that cannot be processed to `<stream>_errors`: the body byte for byte, and beside it the error.
 *
 * The source offset is the publishing id. If the program dies before it stores the offset, the message comes again and
 * fails again, and its copy is a duplicate here.
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
