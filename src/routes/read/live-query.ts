import { Type } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { negotiate } from '../../http/accept.ts'
import { urlParts } from '../../http/url-parts.ts'
import { parseDecimal } from '../../api/position.ts'
import { invalidRequest, RequestError, type Problem, type ProblemText } from '../../api/problems.ts'
import { ANSWER_FORMATS, type ReadEncoding } from '../../messages/index.ts'
import { FOLLOWING_NDJSON, SSE, type LiveFormat } from '../../live/live-format.ts'
import type { Position } from '../../streams/index.ts'

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
  /** Of a consumer only. */
  readonly singleActive?: boolean
  readonly limit: number
  readonly body: ReadEncoding
}

const LIVE_ONLY = ['lastEventId', 'heartbeat', 'control', 'errors', 'singleActive'] as const
const ANSWER_TYPES = ANSWER_FORMATS.map(({ mediaType }) => mediaType)
const FOLLOW_TYPES = [FOLLOWING_NDJSON.mediaType, SSE.mediaType]
// When a client is to come back after a problem that passes.
const PROBLEM_RETRY_MS = 3000

/** The format of a live answer; undefined when the request asks for a batch. @throws RequestError */
export function liveFormat (accept: string | undefined, query: LiveQuery): LiveFormat | undefined {
  const isFollow = query.follow === true
  const format = wantedFormat(accept, isFollow)
  if (format !== undefined) return format
  if (isFollow) {
    throw new RequestError('not_acceptable', `with follow=true a read is answered as ${FOLLOW_TYPES.join(' or ')}`)
  }
  refuseLiveParameters(query)
  return undefined
}

function wantedFormat (accept: string | undefined, isFollow: boolean): LiveFormat | undefined {
  if (!isFollow && (accept === undefined || !/event-stream/i.test(accept))) return undefined
  const type = negotiate(accept, isFollow ? FOLLOW_TYPES : [SSE.mediaType, ...ANSWER_TYPES])
  return type === SSE.mediaType ? SSE : isFollow && type !== undefined ? FOLLOWING_NDJSON : undefined
}

/**
 * For operations with live reads: with `errors=event`, a problem that passes is an event. `EventSource` never comes
 * back after another status than 200.
 */
export function problemText ({ headers, raw }: FastifyRequest, problem: Problem): ProblemText | undefined {
  if (!problem.retryable) return undefined
  const query = new URLSearchParams(urlParts(raw.url).query)
  if (query.get('errors') !== 'event') return undefined
  const format = wantedFormat(headers.accept, query.get('follow') === 'true')
  if (format === undefined) return undefined
  return { mediaType: format.mediaType, text: format.control('problem', undefined, problem, PROBLEM_RETRY_MS) }
}

function refuseLiveParameters (query: LiveQuery): void {
  const given = LIVE_ONLY.filter((name) => query[name] !== undefined)
  if (given.length === 0) return
  const message = 'is for live reads only: Accept: text/event-stream, or follow=true'
  throw invalidRequest(given.map((name) => ({ pointer: `/query/${name}`, message })))
}

/** The id that the client names as its last one. */
export function lastIdOf ({ headers }: FastifyRequest, { lastEventId }: LiveQuery): string | undefined {
  return headerOf(headers) ?? lastEventId
}

function headerOf ({ 'last-event-id': given }: FastifyRequest['headers']): string | undefined {
  return typeof given === 'string' && given !== '' ? given : undefined
}

/** The position that the client names as its last one. @throws RequestError when it is not an id of this gateway */
export function resumedAt (request: FastifyRequest, query: LiveQuery): Position | undefined {
  const id = lastIdOf(request, query)
  if (id === undefined) return undefined
  const offset = parseDecimal(id)
  if (offset !== undefined) return { type: 'offset', offset }
  const pointer = headerOf(request.headers) === undefined ? '/query/lastEventId' : '/headers/last-event-id'
  throw invalidRequest([{ pointer, message: 'is not an id of this stream: ids are offsets from 0 to 2^53-1' }])
}
