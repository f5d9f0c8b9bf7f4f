import type { FastifyReply, FastifyRequest } from 'fastify'
import { Readable } from 'node:stream'
import { Type } from '@fastify/type-provider-typebox'
import { negotiate } from '../../http/accept.ts'
import { LiveConnection } from '../../http/live-connection.ts'
import { clientSignal } from '../../http/request-scope.ts'
import { parseDecimal } from '../../api/position.ts'
import { invalidRequest, RequestError, toProblemAnswer } from '../../api/problems.ts'
import type { ReadEncoding } from '../../messages/index.ts'
import { LiveAnswer } from '../../push/live-answer.ts'
import { FOLLOWING_NDJSON, SSE, type LiveFormat } from '../../push/live-format.ts'
import type { Representation } from '../../push/segment.ts'
import { StreamsError, type FollowListener, type LiveSource, type Position } from '../../streams/index.ts'

/** What a live read is asked for beside what every read is. */
export const liveQuery = {
  follow: Type.Optional(Type.Boolean({
    description: 'Keep the answer open and send messages as they come: NDJSON, or what `Accept` says.'
  })),
  lastEventId: Type.Optional(Type.String({
    description: 'Live reads: where to go on, the last `id` that was received. The header `Last-Event-ID` wins.'
  })),
  heartbeat: Type.Optional(Type.Integer({
    minimum: 5,
    maximum: 60,
    description: 'Live reads: after how many seconds without a message a `state` event is sent (default 15).'
  })),
  control: Type.Optional(Type.Boolean({
    description: 'Live reads: `false` leaves out `state` events; an empty line, or an event without data, shows that ' +
      'the connection is alive.'
  })),
  errors: Type.Optional(Type.Unsafe<'status' | 'event'>({
    type: 'string',
    enum: ['status', 'event'],
    description: 'Live reads: with `event`, an error that passes comes as 200 with a `problem` event, because ' +
      '`EventSource` never comes back after another status.'
  }))
}

/** The query of a live read. */
export interface LiveQuery {
  readonly follow?: boolean
  readonly lastEventId?: string
  readonly heartbeat?: number
  readonly control?: boolean
  readonly errors?: 'status' | 'event'
  readonly limit: number
  readonly body: ReadEncoding
}

const JSON_TYPE = 'application/json'
const DEFAULT_HEARTBEAT_SECONDS = 15
/** When a client is to come back after a problem that passes. */
const PROBLEM_RETRY_MS = 3000

const REPRESENTATIONS: readonly Representation[] = [SSE, FOLLOWING_NDJSON].flatMap((format) =>
  (['auto', 'json', 'text', 'base64'] as const).map((body) => ({ format, body })))

/** The format of a live answer; undefined when the request asks for a batch. @throws RequestError */
export function liveFormat (accept: string | undefined, query: LiveQuery): LiveFormat | undefined {
  const isFollow = query.follow === true
  if (!isFollow && (accept === undefined || !/event-stream/i.test(accept))) {
    refuseLiveParameters(query)
    return undefined
  }
  const offered = isFollow ? [FOLLOWING_NDJSON.mediaType, SSE.mediaType] : [SSE.mediaType, JSON_TYPE]
  const type = negotiate(accept, offered)
  const format = [SSE, FOLLOWING_NDJSON].find(({ mediaType }) => mediaType === type)
  if (format === undefined && isFollow) {
    throw new RequestError('not_acceptable', `with follow=true a read is answered as ${offered.join(' or ')}`)
  }
  return format
}

function refuseLiveParameters (query: LiveQuery): void {
  if (query.lastEventId === undefined && query.heartbeat === undefined && query.control === undefined &&
    query.errors === undefined) return
  const names = ['lastEventId', 'heartbeat', 'control', 'errors'] as const
  throw invalidRequest(names.filter((name) => query[name] !== undefined).map((name) => (
    { pointer: `/query/${name}`, message: 'is for live reads only: Accept: text/event-stream, or follow=true' }
  )))
}

/** Where the client has been, when it says so. @throws RequestError when that is no id of this gateway */
export function resumedAt ({ headers }: FastifyRequest, { lastEventId }: LiveQuery): Position | undefined {
  const given = headers['last-event-id']
  const header = typeof given === 'string' && given !== '' ? given : undefined
  const id = header ?? lastEventId
  if (id === undefined) return undefined
  const offset = parseDecimal(id)
  if (offset !== undefined) return { type: 'offset', offset }
  const pointer = header === undefined ? '/query/lastEventId' : '/header/last-event-id'
  throw invalidRequest([{ pointer, message: 'is not an id of this stream: ids are offsets from 0 to 2^53-1' }])
}

/** What a live answer is made of. */
export interface LiveRequest {
  readonly format: LiveFormat
  readonly query: LiveQuery
  /** Begins to follow. @throws StreamsError */
  readonly open: (listener: FollowListener, signal: AbortSignal) => Promise<LiveSource>
}

const REFUSED = ['wait', 'maxBytes', 'commit', 'expected']

/** Answers with messages as they come, until the client leaves or the answer has to end. */
export async function sendLive (reply: FastifyReply, live: LiveRequest): Promise<FastifyReply> {
  const given = new URLSearchParams((reply.request.raw.url ?? '').split('?', 2)[1])
  const refused = REFUSED.filter((name) => given.has(name))
  if (refused.length > 0) {
    throw invalidRequest(refused.map((name) => ({ pointer: `/query/${name}`, message: 'is not for live reads' })))
  }
  try {
    await begin(reply, live, given.has('limit') ? live.query.limit : Infinity)
  } catch (error) {
    const { problem } = problemOf(reply, error)
    if (live.query.errors !== 'event' || !problem.retryable) throw error
    await sendProblemEvent(reply, live.format, problem)
  }
  return reply
}

async function begin (reply: FastifyReply, live: LiveRequest, limit: number): Promise<void> {
  const { request, server: { live: all } } = reply
  const giveBack = all.admit()
  const listener = new Listener(reply)
  let source: LiveSource | undefined
  try {
    const signal = clientSignal(reply)
    source = await live.open(listener, signal)
    const opening = await source.state()
    signal.throwIfAborted()
    const headers = headersOf(live.format, opening.nextOffset)
    if (request.method === 'HEAD') {
      source.close()
      giveBack()
      // Without a body there is no length either.
      await reply.headers(headers).send(Readable.from([]))
      return
    }
    const sink = await LiveConnection.open(reply, headers)
    const answer = new LiveAnswer({
      source,
      sink,
      segments: all.segments,
      representation: representationOf(live),
      figures: all.figures,
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
        giveBack()
      }
    })
    all.began(answer, request, live.format.name)
    listener.join(answer, signal)
  } catch (error) {
    source?.close()
    giveBack()
    throw error
  }
}

/** Tells the answer what its source and its client say, also what they have said before it was there. */
class Listener implements FollowListener {
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

function representationOf ({ format, query: { body } }: LiveRequest): Representation {
  const known = REPRESENTATIONS.find((known) => known.format === format && known.body === body)
  return known ?? { format, body }
}

function headersOf ({ mediaType }: LiveFormat, nextOffset: number): Record<string, string> {
  return {
    'content-type': mediaType,
    'cache-control': 'no-store',
    'x-accel-buffering': 'no',
    'stream-next-offset': String(nextOffset)
  }
}

async function sendProblemEvent (reply: FastifyReply, { mediaType, control }: LiveFormat, problem: object) {
  await reply
    .headers({ 'content-type': mediaType, 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
    .send(control('problem', undefined, problem, PROBLEM_RETRY_MS))
}
