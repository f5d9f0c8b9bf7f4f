import { Type } from '@fastify/type-provider-typebox'
import { invalidRequest } from '../../api/problems.ts'
import { toPosition, toTimePosition } from '../../api/text-formats.ts'
import type { Position, ReadRequest, Search } from '../../streams/index.ts'

/** Bounds of a read. */
export interface ReadLimits {
  maxMessages: number
  maxBytes: number
  maxWaitSeconds: number
}

const DEFAULT_MESSAGES = 100
const DEFAULT_BYTES = 1024 * 1024

/** How much to read, and how long to wait. */
export function amountQuery ({ maxMessages, maxBytes, maxWaitSeconds }: ReadLimits) {
  return {
    limit: Type.Integer({
      minimum: 1,
      maximum: maxMessages,
      default: Math.min(DEFAULT_MESSAGES, maxMessages),
      description: 'The largest number of messages to return.'
    }),
    maxBytes: Type.Integer({
      minimum: 1,
      maximum: maxBytes,
      default: Math.min(DEFAULT_BYTES, maxBytes),
      description:
        'The largest number of bytes to return, as stored. In JSON the answer takes at most twice as many, and 512 ' +
        'for each message. At least one message is returned, however large.'
    }),
    wait: Type.Integer({
      minimum: 0,
      maximum: maxWaitSeconds,
      default: 0,
      description: 'How many seconds to hold an empty answer; the wait ends as soon as there is a message.'
    })
  }
}

/** How bodies are returned. */
export const bodyQuery = {
  body: Type.Unsafe<'auto' | 'json' | 'text' | 'base64'>({
    type: 'string',
    enum: ['auto', 'json', 'text', 'base64'],
    default: 'auto',
    description:
      'How bodies are returned. `auto`: as JSON when the content type says JSON and the body is JSON, else as text ' +
      'when the body is UTF-8, else as base64.'
  })
}

/** Where to start. */
export const startQuery = {
  offset: Type.Optional(position('Where to start: `first` (default), `last`, `next` or an offset.')),
  timestamp: Type.Optional(
    Type.String({
      format: 'timestamp',
      description:
        'Start at the first message stored at or after this time, such as `2026-01-31T12:00:00.000Z` (RFC 3339; ' +
        'any offset from UTC, any fraction of a second). In place of `offset`.'
    })
  )
}

/** `first`, `last`, `next` or an offset. */
function position (description: string) {
  return Type.String({ format: 'position', description })
}

/** The read that the domain is asked for. */
export function readRequest (
  from: Position,
  { limit, maxBytes, wait }: { limit: number, maxBytes: number, wait: number },
  search?: Search
): ReadRequest {
  return { from, limit, maxBytes, waitMs: wait * 1000, search }
}

/** @throws RequestError when both are given */
export function startOf ({ offset, timestamp }: { offset?: string, timestamp?: string }): Position {
  if (timestamp === undefined) return toPosition(offset ?? 'first', '/query/offset')
  if (offset !== undefined) {
    throw invalidRequest([{ pointer: '/query/timestamp', message: 'cannot be given together with offset' }])
  }
  return toTimePosition(timestamp, '/query/timestamp')
}
