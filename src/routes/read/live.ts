import type { FastifyReply } from 'fastify'
import { Readable } from 'node:stream'
import { LiveConnection } from '../../http/live-connection.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { urlParts } from '../../http/url-parts.ts'
import { invalidRequest, toProblemAnswer } from '../../api/problems.ts'
import { LiveAnswer } from '../../live/live-answer.ts'
import type { FeedListener, LiveFeed } from '../../live/live-feed.ts'
import type { LivePlace } from '../../live/live-options.ts'
import { MergedFeed } from '../../live/merged-feed.ts'
import { StreamFeed } from '../../live/stream-feed.ts'
import { FOLLOWING_NDJSON, SSE, type LiveFormat } from '../../live/live-format.ts'
import { representation, type Representation } from '../../live/segment.ts'
import type { LiveQuery } from './live-query.ts'
import {
  StreamsError, type ActiveFollowListener, type LiveSource, type MergedFollow, type MergedFollowListener,
  type ReadFilter
} from '../../streams/index.ts'

const DEFAULT_HEARTBEAT_SECONDS = 15

const REPRESENTATIONS: readonly Representation[] = [SSE, FOLLOWING_NDJSON].flatMap((format) =>
  (['auto', 'json', 'text', 'base64'] as const).map((body) => representation(format, body)))

/** What a live answer is made of. */
export interface LiveRequest<Listener, Opened> {
  readonly format: LiveFormat
  readonly query: LiveQuery
  /** Given: only the messages that it matches. */
  readonly filter: ReadFilter | undefined
  /** Begins to follow. @throws StreamsError */
  readonly open: (listener: Listener, signal: AbortSignal) => Promise<Opened>
}

/** Begins to follow a super stream. @throws StreamsError */
export type OpenMerged = LiveRequest<MergedFollowListener, MergedFollow>['open']

/** What a live answer of a stream follows. */
export interface LiveOpened {
  readonly source: LiveSource
  readonly place?: LivePlace
  /** Called when the answer has begun. */
  readonly begin?: () => void
}

interface Begun {
  readonly feed: LiveFeed
  readonly headers: Record<string, string>
  readonly begin?: (() => void) | undefined
}

type BeginFeed = (listener: FeedListener, signal: AbortSignal) => Promise<Begun>

const REFUSED = ['wait', 'maxBytes', 'commit', 'expected']

/** Answers with the messages of a stream as they come, until the client leaves or the answer has to end. */
export async function sendLive (
  reply: FastifyReply, live: LiveRequest<ActiveFollowListener, LiveOpened>
): Promise<FastifyReply> {
  const { segments } = reply.server.live.shared
  return await sendFeed(reply, live, async (listener, signal) => {
    let begin: (() => void) | undefined
    const feed = await StreamFeed.open(segments, representationOf(live), listener, async (teller) => {
      const opened = await live.open(teller, signal)
      begin = opened.begin
      return opened
    })
    return { feed, begin, headers: { 'stream-next-offset': String(feed.id) } }
  })
}

/** As `sendLive`, with the messages of the partitions of a super stream. @param hasPlace of a consumer */
export async function sendMergedLive (
  reply: FastifyReply, live: LiveRequest<MergedFollowListener, MergedFollow>, hasPlace: boolean
): Promise<FastifyReply> {
  const { segments } = reply.server.live.shared
  const describe = (error: unknown): { code: string, detail: string } => {
    const { problem: { code, detail } } = problemOf(reply, error)
    return { code, detail }
  }
  return await sendFeed(reply, live, async (listener, signal) => {
    const options = { segments, representation: representationOf(live), hasPlace, listener, describe }
    const feed = await MergedFeed.open(options, async (teller) => await live.open(teller, signal))
    return { feed, begin: () => { feed.begin() }, headers: { 'stream-next-cursor': feed.id } }
  })
}

type Wanted = Pick<LiveRequest<never, unknown>, 'format' | 'query' | 'filter'>

async function sendFeed (reply: FastifyReply, live: Wanted, beginFeed: BeginFeed): Promise<FastifyReply> {
  const given = new URLSearchParams(urlParts(reply.request.raw.url).query)
  const refused = REFUSED.filter((name) => given.has(name))
  if (refused.length > 0) {
    throw invalidRequest(refused.map((name) => ({ pointer: `/query/${name}`, message: 'is not for live reads' })))
  }
  await begin(reply, live, beginFeed, given.has('limit') ? live.query.limit : Infinity)
  return reply
}

async function begin (reply: FastifyReply, live: Wanted, beginFeed: BeginFeed, limit: number): Promise<void> {
  const { request, server: { live: all } } = reply
  const giveBack = all.admit()
  const listener = new Listener(reply)
  let begun: Begun | undefined
  try {
    const signal = clientSignal(reply)
    begun = await beginFeed(listener, signal)
    const { feed } = begun
    const opening = await feed.state()
    signal.throwIfAborted()
    const headers = { ...headersOf(live.format), ...begun.headers }
    if (request.method === 'HEAD') {
      feed.abandon()
      giveBack()
      // The length of the body is not known.
      await reply.headers(headers).send(Readable.from([]))
      return
    }
    const sink = await LiveConnection.open(reply, headers, all.sendTimeoutMs, signal)
    const answer = new LiveAnswer({
      feed,
      sink,
      pace: all.shared.pace,
      figures: all.shared.figures,
      format: live.format,
      isFiltered: live.filter !== undefined,
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
    begun.begin?.()
  } catch (error) {
    begun?.feed.abandon()
    giveBack()
    throw error
  }
}

/** Tells the answer what its source and its client say, also what they have said before it was there. */
class Listener implements FeedListener {
  readonly #reply: FastifyReply
  #answer: LiveAnswer | undefined
  #failure: { readonly error: unknown } | undefined
  #signal: AbortSignal | undefined
  readonly #aborted = (): void => { this.#end(this.#signal?.reason) }

  constructor (reply: FastifyReply) {
    this.#reply = reply
  }

  readonly news = (): void => { this.#answer?.news() }

  behind (): void {
    this.#reply.server.live.shared.figures.behind()
  }

  moved (name: 'reset' | 'active' | 'inactive', data: object): void {
    this.#answer?.moved(name, data)
  }

  failed (error: unknown): void {
    this.#failure = { error }
    this.#end(error)
  }

  join (answer: LiveAnswer, signal: AbortSignal): void {
    this.#answer = answer
    this.#signal = signal
    signal.addEventListener('abort', this.#aborted)
    if (signal.aborted) this.#aborted()
    if (this.#failure !== undefined) this.#end(this.#failure.error)
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

function representationOf ({ format, query: { body }, filter }: Wanted): Representation {
  if (filter !== undefined) return representation(format, body, filter.identity)
  const known = REPRESENTATIONS.find((known) => known.format === format && known.body === body)
  return known ?? representation(format, body)
}

function headersOf ({ mediaType }: LiveFormat): Record<string, string> {
  return { 'content-type': mediaType, 'cache-control': 'no-store', 'x-accel-buffering': 'no' }
}
