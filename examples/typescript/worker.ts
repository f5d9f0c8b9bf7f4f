import createClient from 'openapi-fetch'
import type { components, paths } from './gateway.ts'

/*
 * Publishes ten orders under a publisher name and processes them as a consumer, typed from the OpenAPI document:
 *
 *   npx openapi-typescript openapi.json -o gateway.ts
 *   npx tsx worker.ts
 *
 * It may be stopped and started at any place: no order is stored twice, and none is left out.
 */

type Problem = components['schemas']['Problem']
type Message = components['schemas']['MessageRead']

const { GATEWAY_URL: baseUrl = 'http://127.0.0.1:8080', STREAM: stream = 'orders' } = process.env
const gateway = createClient<paths>({ baseUrl })
const MAX_TRIES = 5

class ProblemError extends Error {
  readonly problem: Problem

  constructor (problem: Problem) {
    super(`${problem.code}: ${problem.detail}`)
    this.problem = problem
  }
}

interface Answer<T> { data?: T, error?: Problem, response: Response }

/** Asks until there is an answer that another try would not change. */
async function ask<T> (request: () => Promise<Answer<T>>): Promise<T> {
  for (let tries = 1; ; tries++) {
    const answer = await request().catch((cause: unknown) => ({ cause }))
    if ('cause' in answer) {
      // No answer: the same request is safe here, because publishing ids and offsets make it so.
      if (tries === MAX_TRIES) throw answer.cause
    } else if (answer.data !== undefined) {
      return answer.data
    } else if (answer.error?.retryable !== true || tries === MAX_TRIES) {
      throw answer.error === undefined ? new Error(`status ${answer.response.status}`) : new ProblemError(answer.error)
    }
    const seconds = 'response' in answer ? Number(answer.response.headers.get('retry-after') ?? tries) : tries
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  }
}

async function publish (): Promise<void> {
  const path = { stream, publisher: 'typescript' }
  const { lastPublishingId } = await ask(() =>
    gateway.GET('/v1/streams/{stream}/publishers/{publisher}', { params: { path } }))
  const messages = Array.from({ length: 10 }, (_, index) => {
    const number = Number(lastPublishingId) + index + 1
    return { publishingId: number, body: { order: number } }
  })
  const published = await ask(() => gateway.POST('/v1/streams/{stream}/messages', {
    params: { path: { stream }, query: { publisher: 'typescript' } },
    body: { messages }
  }))
  console.log(`stored ${published.confirmed}, duplicates ${published.duplicates}`)
}

async function consume (handle: (message: Message) => void): Promise<void> {
  const path = { stream, consumer: 'typescript' }
  let commit: number | undefined
  for (;;) {
    try {
      const query = commit === undefined ? {} : { commit }
      const batch = await ask(() =>
        gateway.GET('/v1/streams/{stream}/consumers/{consumer}/messages', { params: { path, query } }))
      batch.messages.forEach(handle)
      // Null when there is nothing to commit; the last commit then brought nothing new.
      if (batch.commitOffset === null) return
      commit = Number(batch.commitOffset)
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      switch (error.problem.code) {
        // Another worker of this name is ahead, at `storedOffset`: go on after it.
        case 'offset_goes_back': commit = undefined; break
        // The stored offset is not one of this stream, which was deleted and created again.
        case 'offset_out_of_range':
          await ask(() => gateway.POST('/v1/streams/{stream}/consumers/{consumer}/offset/reset', {
            params: { path },
            body: { to: 'first' }
          }))
          break
        default: throw error
      }
    }
  }
}

await ask(() => gateway.PUT('/v1/streams/{stream}', { params: { path: { stream } }, body: {} }))
await publish()
await consume(({ offset, body }) => console.log(`offset ${offset}: ${JSON.stringify(body)}`))
console.log('end of stream')
