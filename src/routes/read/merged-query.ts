import { Type } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { invalidRequest } from '../../api/problems.ts'
import type { MergedRequest, MergedStart, Search } from '../../streams/index.ts'
import { lastIdOf, type LiveQuery } from './live-query.ts'
import { startOf, startQuery } from './query.ts'

const MAX_PARTITIONS_TEXT = 16 * 1024

/** Where to start in a super stream. */
export const mergedStartQuery = {
  cursor: Type.Optional(Type.String({
    description: 'Where to start: `nextCursor` of an earlier answer. In place of `offset` and `timestamp`.'
  })),
  ...startQuery
}

/** The place that a client of a live read names as its last one. */
export function mergedResumedAt (request: FastifyRequest, query: LiveQuery): MergedStart | undefined {
  const cursor = lastIdOf(request, query)
  return cursor === undefined ? undefined : { type: 'cursor', cursor }
}

/** Which partitions to read. */
export const partitionsQuery = {
  partitions: Type.Optional(Type.String({
    minLength: 1,
    maxLength: MAX_PARTITIONS_TEXT,
    description: 'Only these partitions, separated by commas: for workers that share them among themselves. A cursor ' +
      'keeps its places in the others.'
  }))
}

/** @throws RequestError when more than one is given */
function mergedStartOf (query: { cursor?: string, offset?: string, timestamp?: string }): MergedStart {
  const { cursor, offset, timestamp } = query
  if (cursor === undefined) return startOf(query)
  if (offset !== undefined || timestamp !== undefined) {
    throw invalidRequest([{ pointer: '/query/cursor', message: 'cannot be given together with offset or timestamp' }])
  }
  return { type: 'cursor', cursor }
}

/** The names in `partitions`; undefined: all. No name has a comma: those that do are read as a whole super stream. */
export function partitionNames ({ partitions }: { partitions?: string }): readonly string[] | undefined {
  return partitions?.split(',')
}

interface MergedQuery {
  readonly cursor?: string
  readonly offset?: string
  readonly timestamp?: string
  readonly partitions?: string
  readonly limit: number
  readonly maxBytes: number
  readonly wait: number
}

/** The read that the domain is asked for. @throws RequestError */
export function mergedRequest (query: MergedQuery, search: Search | undefined): MergedRequest {
  const { limit, maxBytes, wait } = query
  return { from: mergedStartOf(query), partitions: partitionNames(query), limit, maxBytes, waitMs: wait * 1000, search }
}
