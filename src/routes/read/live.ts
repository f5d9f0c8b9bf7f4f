import type { FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import { LiveConnection } from '../../http/live-connection.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { urlParts } from '../../http/url-parts.ts'
import { invalidRequest, toProblemAnswer } from '../../api/problems.ts'
import { LiveAnswer } from '../../live/live-answer.ts'
import type { LivePlace } from '../../live/live-options.ts'
import { FOLLOWING_NDJSON, SSE, type LiveFormat } from '../../live/live-format.ts'
import { representation, type Representation } from '../../live/segment.ts'
import type { LiveQuery } from './live-query.ts'
import { StreamsError, type ActiveFollowListener, type LiveSource, type ReadFilter } from '../../streams/index.ts'

const DEFAULT_HEARTBEAT_SECONDS = 15

const REPRESENTATIONS: readonly Representation[] = [SSE, FOLLOWING_NDJSON].flatMap((format) =>
  (['auto', 'json', 'text', 'base64'] as const).map((body) => representation(format, body)))

/** What a live answer is made of. */
export interface LiveRequest {
  readonly format: LiveFormat
  readonly query: LiveQuery
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
  /** Begins to follow. @throws StreamsError */
  readonly open: (listener: LiveListener, signal: AbortSignal) => Promise<LiveOpened>
}

/** What a live answer follows. */
export interface LiveOpened {
  readonly source: LiveSource
  readonly place?: LivePlace
  /** Called when the answer has begun. */
  readonly begin?: () => void
}

/** Learns what happens to the answer. */
export type LiveListener = ActiveFollowListener

const REFUSED = ['wait', 'maxBytes', 'commit', 'expected']

/** Answers with messages as they come, until the client leaves or the answer has to end. */
export async function sendLive (reply: FastifyReply, live: LiveRequest): Promise<FastifyReply> {
  const given = new URLSearchParams(urlParts(reply.request.raw.url).query)
  const refused = REFUSED.filter((name) => given.has(name))
  if (refused.length > 0) {
    throw invalidRequest(refused.map((name) => ({ pointer: `/query/${name}`, message: 'is not for live reads' })))
  }
  await begin(reply, live, given.has('limit') ? live.query.limit : Infinity)
  return reply
}

async function begin (reply: FastifyReply, live: LiveRequest, limit: number): Promise<void> {
  const { request, server: { live: all } } = reply
  const giveBack = all.admit()
  const listener = new Listener(reply)
  let opened: LiveOpened | undefined
  try {
    const signal = clientSignal(reply)
    opened = await live.open(listener, signal)
    const { source, place } = opened
    const opening = await source.state()
    signal.throwIfAborted()
    const headers = headersOf(live.format, opening.nextOffset)
    if (request.method === 'HEAD') {
      leave(opened)
      giveBack()
      // The length of the body is not known.
      await reply.headers(headers).send(Readable.from([]))
      return
    }
    const sink = await LiveConnection.open(reply, headers, all.sendTimeoutMs, signal)
    const answer = new LiveAnswer({
      source,
      place,
      sink,
      ...all.shared,
      representation: representationOf(live),
      heartbeatMs: (live.query.heartbeat ?? DEFAULT_HEARTBEAT_SECONDS) * 1000,
      limit,
      hasControl: live.query.control !== false,
      rotateAtMs: all.rotateAtMs(),
      whenEnded: (reason) => { all.ended(answer, reason) }
    }, opening)
    sink.listen({
      drained: () => { answer.drained() },
      closed: () => {
        listener.leave()
        answer.gone()
        void Promise.resolve(answer.settled).then(giveBack)
      }
    })
    all.began(answer, request, live.format.name)
    listener.join(answer, signal)
    opened.begin?.()
  } catch (error) {
    leave(opened)
    giveBack()
    throw error
  }
}

// Nothing was taken.
function leave (opened: LiveOpened | undefined): void {
  opened?.source.close()
  void opened?.place?.end(0)
}

/** Tells the answer what its source and its client say, also what they have said before it was there. */
class Listener implements LiveListener {
  readonly #reply: FastifyReply
  #answer: LiveAnswer | undefined
  #failure: StreamsError | undefined
  #signal: AbortSignal | undefined
  readonly #aborted = (): void => { this.#end(this.#signal?.reason) }

  constructor (reply: FastifyReply) {
    this.#reply = reply
  }

  news (): void {
    this.#answer?.news()
  }

  behind (): void {
    this.#reply.server.live.shared.figures.behind()
  }

  readonly moved = (nextOffset: number): void => { this.#answer?.moved('reset', nextOffset) }

  activated (nextOffset: number): void {
    this.#answer?.moved('active', nextOffset)
  }

  deactivated (nextOffset: number): number {
    return this.#answer?.moved('inactive', nextOffset) ?? 0
  }

  failed (error: StreamsError): void {
    this.#failure = error
    this.#end(error)
  }

  join (answer: LiveAnswer, signal: AbortSignal): void {
    this.#answer = answer
    this.#signal = signal
    signal.addEventListener('abort', this.#aborted)
    if (signal.aborted) this.#aborted()
    if (this.#failure !== undefined) this.#end(this.#failure)
    answer.news()
  }

  leave (): void {
    this.#signal?.removeEventListener('abort', this.#aborted)
  }

  #end (error: unknown): void {
    const answer = this.#answer
    if (answer === undefined) return
    const code = error instanceof StreamsError ? error.code : undefined
    if (code === 'overloaded') answer.bye('slow')
    else if (code === 'draining') answer.bye('draining')
    else {
      const { problem } = problemOf(this.#reply, error)
      answer.problem(problem, problem.code)
    }
  }
}

function problemOf (reply: FastifyReply, error: unknown) {
  return toProblemAnswer(error, reply.request.id, reply.server.publicPrefix(reply.request))
}

function representationOf ({ format, query: { body }, filter }: LiveRequest): Representation {
  if (filter !== undefined) return representation(format, body, filter.identity)
  const known = REPRESENTATIONS.find((known) => known.format === format && known.body === body)
  return known ?? representation(format, body)
}

function headersOf ({ mediaType }: LiveFormat, nextOffset: number): Record<string, string> {
  return {
    'content-type': mediaType,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'stream-next-offset': String(nextOffset)
  }
}
